package convert_test

import (
	"fmt"

	"github.com/pali-gguf/pali/convert"
)

func ExampleDefaultName() {
	fmt.Println(convert.DefaultName("downloads/paligemma-3b-mix-224.f16.npz"))
	fmt.Println(convert.DefaultName("paligemma2-10b-pt-448.b16.npz.part0"))
	fmt.Println(convert.DefaultName("demo.npz"))
	// Output:
	// PaliGemma-3B-mix-224-v1.0
	// PaliGemma2-10B-pt-448-v1.0
	// demo
}
