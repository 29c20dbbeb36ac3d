package npz_test

import (
	"bytes"
	"fmt"
	"log"

	"github.com/pali-gguf/pali/npz"
)

func Example() {
	var file bytes.Buffer
	w := npz.NewWriter(&file)
	w.AddFloat32s("params/img/head/bias", []int{3}, []float32{0.5, -1, 2})
	w.AddInt32s("tokens", []int{1, 2}, []int32{2, 108})
	if err := w.Close(); err != nil { // the first error of any of them
		log.Fatal(err)
	}
	a, err := npz.NewArchive(bytes.NewReader(file.Bytes()), int64(file.Len()))
	if err != nil {
		log.Fatal(err)
	}
	for _, t := range a.Tensors() {
		fmt.Println(t.Name, t.DType, t.Shape)
	}
	bias, _ := a.Tensor("params/img/head/bias")
	fmt.Println(bias.Float32s())
	// Output:
	// params/img/head/bias F32 [3]
	// tokens I32 [1 2]
	// [0.5 -1 2] <nil>
}
