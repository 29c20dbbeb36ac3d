package dataset

// This file: tables: CSV with a row for each object, or for an answer without objects; JSONL with a
// line for each answer, as maestro and big_vision train on and package eval reads. Spreadsheets
// take a cell of a CSV file that begins as a formula for one: such texts get a ' before them.

import (
	"encoding/csv"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

type csvWriter struct {
	e     *Export
	path  string
	spool *spool
	csv   *csv.Writer
}

// columns are those of the CSV file. text is the object's part of the answer, or the answer;
// corners are in pixels.
var columns = strings.Split(
	"image,width,height,prompt,text,label,score,score_box,score_label,x_min,y_min,x_max,y_max,mask_area", ",")

func openCSV(e *Export, path string) (writer, error) {
	s, err := newSpool(e.Out)
	if err != nil {
		return nil, err
	}
	w := &csvWriter{e, path, s, csv.NewWriter(s)}
	return w, w.csv.Write(columns)
}

func (w *csvWriter) add(img *labelledImage) error {
	for _, a := range img.answers {
		row := make([]string, len(columns))
		copy(row, []string{cell(img.Name), strconv.Itoa(img.width), strconv.Itoa(img.height), cell(a.Prompt)})
		if len(a.objects) == 0 {
			row[4] = cell(a.suffix())
			if err := w.csv.Write(row); err != nil {
				return err
			}
		}
		for _, o := range a.objects {
			row[4], row[5] = cell(o.text), cell(o.Label)
			for i, v := range []float64{o.Score.Score, o.Score.Box, o.Score.Label} {
				row[6+i] = strconv.FormatFloat(v, 'f', 4, 64)
			}
			for i, v := range o.XYXY {
				row[9+i] = strconv.FormatFloat(round3(v), 'f', -1, 64)
			}
			if row[13] = ""; o.Mask != nil {
				row[13] = strconv.Itoa(int(o.area))
			}
			if err := w.csv.Write(row); err != nil {
				return err
			}
		}
	}
	return nil
}

// formulaBegins has the characters that make spreadsheets take a cell for a formula, if it begins
// with one: also those of full width, and those that are skipped before one.
const formulaBegins = "=+-@＝＋－＠\t\r\n"

// cell returns text as a cell that no spreadsheet takes for a formula: a number stays as it is. It
// also drops control characters, which could steer a terminal, but for tabs and ends of lines.
func cell(text string) string {
	text = strings.Map(func(r rune) rune {
		if (unicode.IsControl(r) || r == '\u2028' || r == '\u2029') && !strings.ContainsRune("\t\n\r", r) {
			return -1
		}
		return r
	}, text)
	_, notNumber := strconv.ParseFloat(text, 64)
	if first, _ := utf8.DecodeRuneInString(text); notNumber != nil && strings.ContainsRune(formulaBegins, first) {
		return "'" + text
	}
	return text
}

func (w *csvWriter) end() error {
	defer w.abort()
	if w.csv.Flush(); w.csv.Error() != nil {
		return w.csv.Error()
	}
	return w.e.write(w.path, part{spool: w.spool})
}

func (w *csvWriter) abort() { w.spool.close() }

// suffix returns the answer without the dropped objects: the model's text if none is dropped.
func (a *answer) suffix() string {
	if a.dropped == 0 {
		return a.Text
	}
	var kept []string
	for _, o := range a.objects {
		kept = append(kept, o.text)
	}
	return strings.Join(kept, " ; ")
}

// jsonlLine is a question with its answer.
type jsonlLine struct {
	Image  string `json:"image"`
	Prefix string `json:"prefix"`
	Suffix string `json:"suffix"`
}

type jsonlWriter struct {
	e     *Export
	path  string
	spool *spool
}

func openJSONL(e *Export, path string) (writer, error) {
	s, err := newSpool(e.Out)
	return &jsonlWriter{e, path, s}, err
}

func (w *jsonlWriter) add(img *labelledImage) error {
	for _, a := range img.answers {
		b, err := compact(jsonlLine{img.Name, a.Prompt, a.suffix()})
		if err == nil {
			_, err = w.spool.Write(append(b, '\n'))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *jsonlWriter) end() error {
	defer w.abort()
	return w.e.write(w.path, part{spool: w.spool})
}

func (w *jsonlWriter) abort() { w.spool.close() }
