package gguf

// This file: the types of values, as numbers in a file and as types of Go.

import "fmt"

// valueType is the number of a value's type in a file.
type valueType uint32

const (
	typeUint8 valueType = iota
	typeInt8
	typeUint16
	typeInt16
	typeUint32
	typeInt32
	typeFloat32
	typeBool
	typeString
	typeArray
	typeUint64
	typeInt64
	typeFloat64
)

// size returns the bytes of one value; for a string those of its length, the minimum. It is 0 for
// what cannot be in an array.
func (t valueType) size() int {
	switch t {
	case typeUint8, typeInt8, typeBool:
		return 1
	case typeUint16, typeInt16:
		return 2
	case typeUint32, typeInt32, typeFloat32:
		return 4
	case typeString, typeUint64, typeInt64, typeFloat64:
		return 8
	}
	return 0
}

// typeOf returns the type of v, a KV's value, and the number of elements of an array (-1 for a
// single value).
func typeOf(v any) (t valueType, n int, err error) {
	switch v := v.(type) {
	case uint8:
		return typeUint8, -1, nil
	case int8:
		return typeInt8, -1, nil
	case uint16:
		return typeUint16, -1, nil
	case int16:
		return typeInt16, -1, nil
	case uint32:
		return typeUint32, -1, nil
	case int32:
		return typeInt32, -1, nil
	case float32:
		return typeFloat32, -1, nil
	case bool:
		return typeBool, -1, nil
	case string:
		return typeString, -1, nil
	case uint64:
		return typeUint64, -1, nil
	case int64:
		return typeInt64, -1, nil
	case float64:
		return typeFloat64, -1, nil
	case []uint8:
		return typeUint8, len(v), nil
	case []int8:
		return typeInt8, len(v), nil
	case []uint16:
		return typeUint16, len(v), nil
	case []int16:
		return typeInt16, len(v), nil
	case []uint32:
		return typeUint32, len(v), nil
	case []int32:
		return typeInt32, len(v), nil
	case []float32:
		return typeFloat32, len(v), nil
	case []bool:
		return typeBool, len(v), nil
	case []string:
		return typeString, len(v), nil
	case []uint64:
		return typeUint64, len(v), nil
	case []int64:
		return typeInt64, len(v), nil
	case []float64:
		return typeFloat64, len(v), nil
	}
	return 0, 0, fmt.Errorf("a value of type %T cannot be written", v)
}
