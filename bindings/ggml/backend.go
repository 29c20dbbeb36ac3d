package ggml

// This file: devices, buffers and the scheduler that runs a graph.

// #include "glue.h"
import "C"

import (
	"errors"
	"fmt"
	"unsafe"
)

// Device is a processor that can run graphs.
type Device struct{ p *C.struct_ggml_backend_device }

// DeviceType says what kind a device is.
type DeviceType int

// The kinds of device.
const (
	CPU        = DeviceType(C.PALI_GGML_BACKEND_DEVICE_TYPE_CPU)
	GPU        = DeviceType(C.PALI_GGML_BACKEND_DEVICE_TYPE_GPU)
	Integrated = DeviceType(C.PALI_GGML_BACKEND_DEVICE_TYPE_IGPU)
)

// LoadBackend calls ggml_backend_load: registers the backend in the shared library at path, with
// its devices, and sends its log to TakeLog. It fails where the file is cut off, where the loader
// refuses it, where it was built from another Version, if both are known, and where it finds no
// device. The process ends if the library's ggml aborts.
func LoadBackend(path string) error { return loadBackend(path, Version()) }

func loadBackend(path, want string) error {
	if err := checkLibrary(path); err != nil {
		return err
	}
	TakeLog()
	var version *C.char
	why := withCString(path, func(s *C.char) *C.char { return C.pali_library_open(s, &version) })
	if why != nil {
		return notLoaded(path, C.GoString(why))
	}
	if have := C.GoString(version); have != "" && want != "" && have != want {
		return fmt.Errorf("%s was built from %s %s, and this program from %s: build it again", path, Module, have, want)
	}
	reg := withCString(path, func(s *C.char) *C.struct_ggml_backend_reg { return C.ggml_backend_load(s) })
	if reg == nil {
		return WithLog(fmt.Errorf("%s is not a library of ggml's", path))
	}
	for _, d := range Devices() {
		if C.ggml_backend_dev_backend_reg(d.p) == reg {
			return nil
		}
	}
	return WithLog(fmt.Errorf("%s finds no device", path))
}

// Devices lists all registered devices (ggml_backend_dev_count, ggml_backend_dev_get).
func Devices() []Device {
	var all []Device
	for i := range C.ggml_backend_dev_count() {
		all = append(all, Device{C.ggml_backend_dev_get(i)})
	}
	return all
}

// Processor returns the CPU's device, which every build has.
func Processor() Device {
	for _, d := range Devices() {
		if d.Type() == CPU {
			return d
		}
	}
	panic("ggml: no CPU device is compiled in")
}

// Name calls ggml_backend_dev_name: "CPU", "CUDA0".
func (d Device) Name() string { return C.GoString(C.ggml_backend_dev_name(d.p)) }

// Description calls ggml_backend_dev_description.
func (d Device) Description() string { return C.GoString(C.ggml_backend_dev_description(d.p)) }

// Backend calls ggml_backend_reg_name: "CPU", "CUDA", "Metal", "Vulkan".
func (d Device) Backend() string {
	return C.GoString(C.ggml_backend_reg_name(C.ggml_backend_dev_backend_reg(d.p)))
}

// Type calls ggml_backend_dev_type.
func (d Device) Type() DeviceType { return DeviceType(C.ggml_backend_dev_type(d.p)) }

// Memory calls ggml_backend_dev_memory: free and total bytes.
func (d Device) Memory() (free, total uint64) {
	var f, t C.size_t
	C.ggml_backend_dev_memory(d.p, &f, &t)
	return uint64(f), uint64(t)
}

// Features lists what the device's backend was compiled with: "AVX2", "REPACK".
func (d Device) Features() []string {
	var all []string
	reg := C.ggml_backend_dev_backend_reg(d.p)
	for i := C.int(0); ; i++ {
		var value *C.char
		name := C.pali_backend_feature(reg, i, &value)
		if name == nil {
			return all
		}
		if v := C.GoString(value); v != "1" {
			all = append(all, C.GoString(name)+"="+v)
		} else {
			all = append(all, C.GoString(name))
		}
	}
}

// Pointer returns the C device, for bindings/llama.
func (d Device) Pointer() unsafe.Pointer { return unsafe.Pointer(d.p) }

// BufferType is a kind of memory, with its own layout of tensors.
type BufferType struct {
	p *C.struct_ggml_backend_buffer_type
}

// BufferType calls ggml_backend_dev_buffer_type: the device's own memory.
func (d Device) BufferType() BufferType { return BufferType{C.ggml_backend_dev_buffer_type(d.p)} }

// RepackBuffer returns the first of the device's extra buffer types, if it has one: on a processor,
// blocks interleaved for its vector units. It calls ggml_backend_dev_get_extra_bufts.
func (d Device) RepackBuffer() (BufferType, bool) {
	p := C.pali_extra_buffer_type(d.p)
	return BufferType{p}, p != nil
}

// CanRepack reports whether buffer type b takes a matrix of type t and size ne, and d can multiply
// with it there. It allocates one for the question.
func (d Device) CanRepack(b BufferType, t Type, ne []int) bool {
	weight, product := NewContext(1), NewContext(2)
	defer weight.Free()
	defer product.Free()
	w := weight.New(t, ne...)
	memory, err := weight.Alloc(b)
	if err != nil {
		return false
	}
	defer memory.Free()
	return d.Supports(product.MulMat(w, product.New(F32, ne[0], 1)))
}

// Supports calls ggml_backend_dev_supports_op for the node t, whose weights are allocated.
func (d Device) Supports(t Tensor) bool { return bool(C.ggml_backend_dev_supports_op(d.p, t.p)) }

// Buffer is memory that tensors live in.
type Buffer struct{ p *C.struct_ggml_backend_buffer }

// Alloc calls ggml_backend_alloc_ctx_tensors_from_buft: memory of type b for every tensor of c that
// has none, marked as weights.
func (c Context) Alloc(b BufferType) (Buffer, error) {
	p := C.ggml_backend_alloc_ctx_tensors_from_buft(c.p, b.p)
	if p == nil {
		return Buffer{}, WithLog(errors.New("ggml: no memory for the weights"))
	}
	C.ggml_backend_buffer_set_usage(p, C.PALI_GGML_BACKEND_BUFFER_USAGE_WEIGHTS)
	return Buffer{p}, nil
}

// Free calls ggml_backend_buffer_free. It does nothing the second time.
func (b *Buffer) Free() {
	if b.p != nil {
		C.ggml_backend_buffer_free(b.p)
		b.p = nil
	}
}

// ErrStopped is returned by Compute when the Stop flag was raised.
var ErrStopped = errors.New("ggml: stopped")

// Scheduler runs graphs on one or more devices, the first of which gets what it can do.
type Scheduler struct {
	p        *C.struct_ggml_backend_sched
	backends []*C.struct_ggml_backend
	polls    Stop // of Poll
}

// MaxThreads is GGML_MAX_N_THREADS.
const MaxThreads = 512

// NewScheduler calls ggml_backend_dev_init for each of devices, then ggml_backend_sched_new for
// graphs of at most nodes nodes. The processor must be the last device; it gets threads threads, 1
// to MaxThreads, and stop ends a graph early there. NewScheduler fails where threads is out of
// range.
func NewScheduler(devices []Device, nodes, threads int, stop Stop) (*Scheduler, error) {
	if threads < 1 || threads > MaxThreads {
		return nil, fmt.Errorf("ggml: %d threads, want 1 to %d", threads, MaxThreads)
	}
	s := &Scheduler{}
	for _, d := range devices {
		b := C.ggml_backend_dev_init(d.p, nil)
		if b == nil {
			s.Free()
			return nil, WithLog(fmt.Errorf("ggml: device %s does not start", d.Name()))
		}
		s.backends = append(s.backends, b)
		if C.ggml_backend_is_cpu(b) {
			C.ggml_backend_cpu_set_n_threads(b, C.int(threads))
			callback, data := stop.Pointers()
			C.ggml_backend_cpu_set_abort_callback(b, C.pali_abort_callback(callback), data)
		}
	}
	s.p = C.ggml_backend_sched_new(&s.backends[0], nil, C.int(len(s.backends)), C.size_t(nodes), false, false)
	return s, nil
}

// Poll calls ggml_backend_sched_set_eval_callback: stop is polled on all devices, not on the processor
// alone, and ends a graph, which runs in parts where stop.RunInParts says so.
func (s *Scheduler) Poll(stop Stop) {
	callback, data := stop.EvalPointers()
	C.ggml_backend_sched_set_eval_callback(s.p, C.pali_eval_callback(callback), data)
	s.polls = stop
}

// Alloc calls ggml_backend_sched_reset and ggml_backend_sched_alloc_graph: the tensors of g get
// memory, and its inputs can be set.
func (s *Scheduler) Alloc(g Graph) error {
	C.ggml_backend_sched_reset(s.p)
	if !C.ggml_backend_sched_alloc_graph(s.p, g.p) {
		return WithLog(errors.New("ggml: no memory for the graph"))
	}
	return nil
}

// Compute calls ggml_backend_sched_graph_compute for g. It returns ErrStopped if the flag was
// raised.
func (s *Scheduler) Compute(g Graph) error {
	switch status := C.ggml_backend_sched_graph_compute(s.p, g.p); status {
	case C.PALI_GGML_STATUS_SUCCESS:
		if s.polls.Raised() {
			return ErrStopped
		}
		return nil
	case C.PALI_GGML_STATUS_ABORTED:
		return ErrStopped
	default:
		return WithLog(fmt.Errorf("ggml: the graph failed with status %d", int(status)))
	}
}

// MemorySize calls ggml_backend_sched_get_buffer_size: bytes of working memory on all devices.
func (s *Scheduler) MemorySize() int {
	n := 0
	for _, b := range s.backends {
		n += int(C.ggml_backend_sched_get_buffer_size(s.p, b))
	}
	return n
}

// Free calls ggml_backend_sched_free and ggml_backend_free. It does nothing the second time.
func (s *Scheduler) Free() {
	if s.p != nil {
		C.ggml_backend_sched_free(s.p)
		s.p = nil
	}
	for _, b := range s.backends {
		C.ggml_backend_free(b)
	}
	s.backends = nil
}
