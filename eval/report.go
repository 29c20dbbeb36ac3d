package eval

// This file: a summary as text for people.

import (
	"bufio"
	"fmt"
	"io"
	"text/tabwriter"
)

// Print writes the scores for people, in percent. clean makes the name of a task fit to be shown.
func (s *Summary) Print(out io.Writer, clean func(string) string) error {
	w := bufio.NewWriter(out)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, x := range s.Scores {
		value := x.Note
		if x.Value != nil {
			value = fmt.Sprintf("%5.1f %%", 100**x.Value)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t(%d)\n", clean(x.Task), x.Metric, value, x.N)
	}
	if s.Score != nil {
		fmt.Fprintf(table, "all\tscore\t%5.1f %%\t(%d)\n", 100*s.Score.Value, s.Score.N)
	}
	table.Flush()
	if a := s.Against; a != nil {
		fmt.Fprintf(w, "\nagainst the reference, over %d positions: divergence %.3g nats (99th percentile %.3g), "+
			"same most probable token %.1f %%, same answers %.1f %%\n",
			a.Positions, a.KLMean, a.KLP99, 100*a.EqualTop, 100*a.Equal)
	}
	fmt.Fprintf(w, "\n%d questions; half of the images take %.1f ms or less, of the prompts %.1f ms, "+
		"of the answers' tokens %.2f ms\n",
		s.Questions, s.Timings.Vision, s.Timings.Prefill, s.Timings.DecodeToken)
	return w.Flush()
}
