package tensor

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func over(d DType, shape []int, r io.Reader) Tensor {
	return Tensor{Name: "x", DType: d, Shape: shape, Open: func() (io.ReadCloser, error) {
		return io.NopCloser(r),
			nil
	}}
}

func TestRead(t *testing.T) {
	f, err := over(BF16, []int{1, 2}, iotest.OneByteReader(bytes.NewReader([]byte{0x80, 0x3f, 0, 0xc0}))).Float32s()
	if err != nil || len(f) != 2 || f[0] != 1 || f[1] != -2 {
		t.Errorf("have %v, %v, want [1 -2]", f, err)
	}
	i, err := over(I32, nil, iotest.DataErrReader(bytes.NewReader([]byte{0xfe, 0xff, 0xff, 0xff}))).Int32s()
	if err != nil || len(i) != 1 || i[0] != -2 {
		t.Errorf("have %v, %v, want [-2]", i, err)
	}
}

func TestReadRefuses(t *testing.T) {
	bad := errors.New("CRC-32 is wrong")
	four := func(end error) io.Reader {
		return io.MultiReader(bytes.NewReader(make([]byte, 4)), iotest.ErrReader(end))
	}
	failing := Tensor{Name: "x", DType: F32, Open: func() (io.ReadCloser, error) { return nil, bad }}
	for _, c := range []struct {
		t    Tensor
		want string
	}{
		{over(F32, nil, bytes.NewReader(make([]byte, 3))), "tensor: x: unexpected EOF"},
		{over(F32, nil, bytes.NewReader(make([]byte, 5))), "more bytes than the 4"},
		{over(F32, nil, four(bad)), bad.Error()},
		{over(F32, []int{2}, four(bad)), bad.Error()},
		{over(I32, nil, four(io.EOF)), "I32 elements, want floats"},
		{failing, bad.Error()},
	} {
		if _, err := c.t.Float32s(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("have %v, want %q", err, c.want)
		}
	}
	if _, err := over(F16, nil, four(io.EOF)).Int32s(); err == nil || !strings.Contains(err.Error(),
		"F16 elements, want I32") {
		t.Errorf("have %v", err)
	}
}

func TestTypes(t *testing.T) {
	for _, want := range []struct {
		test DType
		name string
		size int
	}{
		{F32, "F32", 4},
		{F16, "F16", 2},
		{BF16, "BF16", 2},
		{I32, "I32", 4},
		{0, "DType(0)", 0},
		{9, "DType(9)", 0},
	} {
		t.Run(fmt.Sprint(want.test), func(t *testing.T) {
			if want.test.String() != want.name || want.test.Size() != want.size {
				t.Errorf("have %s of %d bytes, want %s of %d", want.test, want.test.Size(), want.name, want.size)
			}
		})
	}
	if n := over(F16, []int{46, 2, 4608, 36864}, nil).Bytes(); n != 31_255_953_408 {
		t.Errorf("28B gating_einsum: %d bytes, want 31255953408", n)
	}
}
