//go:build cgo

package pali_test

// This file: the library's examples, on the demo model.

import (
	"context"
	"fmt"
	"log"
	"os"
	"testing"

	"github.com/pali-gguf/pali"
	"github.com/pali-gguf/pali/convert"
	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/internal/demo"
	"github.com/pali-gguf/pali/npz"
)

const photo = "testdata/demo/pictures/000.png" // a yellow circle and a purple triangle

// models is a folder with the demo model and its mask file.
var models string

func TestMain(m *testing.M) {
	var err error
	if models, err = os.MkdirTemp("", "pali-test-"); err == nil {
		err = convertDemo(models)
	}
	code := 1
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	} else {
		code = m.Run()
	}
	os.RemoveAll(models)
	os.Exit(code)
}

func convertDemo(folder string) error {
	if _, err := demo.Convert(context.Background(), folder); err != nil {
		return err
	}
	src, err := npz.Open("testdata/demo/masks.npz")
	if err != nil {
		return err
	}
	defer src.Close()
	_, err = convert.Masks(src, convert.MaskOptions{Name: "demo", Type: gguf.F16, OutDir: folder})
	return err
}

func ExampleModel_Caption() {
	m, err := pali.Open(models, pali.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	img, err := pali.OpenImage(photo)
	if err != nil {
		log.Fatal(err)
	}
	text, err := m.Caption(context.Background(), img, "en")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(text)
	// Output: a yellow circle and a purple triangle on a white background
}

func ExampleModel_Detect() {
	m, img := open()
	defer m.Close()
	found, err := m.Detect(context.Background(), img, "circle", "purple triangle")
	if err != nil {
		log.Fatal(err)
	}
	for _, d := range found {
		fmt.Printf("%s: x %.0f to %.0f, y %.0f to %.0f\n", d.Label, d.XYXY[0], d.XYXY[2], d.XYXY[1], d.XYXY[3])
	}
	// Output:
	// circle: x 157 to 367, y 132 to 342
	// purple triangle: x 275 to 393, y 18 to 110
}

func ExampleModel_Segment() {
	m, img := open()
	defer m.Close()
	found, err := m.Segment(context.Background(), img, "yellow circle")
	if err != nil {
		log.Fatal(err)
	}
	for _, d := range found {
		fmt.Printf("%s: %d of %d x %d pixels\n", d.Label, d.Mask.Area(), d.Mask.Width, d.Mask.Height)
	}
	// Output: yellow circle: 35794 of 419 x 455 pixels
}

func ExampleModel_Generate() {
	m, img := open()
	defer m.Close()
	q := pali.Request{Images: []*pali.Image{img}, Prompt: "answer en how many triangles are there?"}
	for step, err := range m.Generate(context.Background(), q) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Print(step.Text)
	}
	// Output: 1
}

// open opens the demo model and an image.
func open() (*pali.Model, *pali.Image) {
	m, err := pali.Open(models, pali.Options{})
	if err != nil {
		log.Fatal(err)
	}
	img, err := pali.OpenImage(photo)
	if err != nil {
		log.Fatal(err)
	}
	return m, img
}
