package host

import (
	"fmt"
	"runtime"
	"testing"
	"testing/fstest"
)

func TestLinuxCores(t *testing.T) {
	devices := fstest.MapFS{"system/cpu/cpufreq/x": {}, "system/cpu/cpu0/cache/x": {}}
	every := func(int) bool { return true }
	if n := linuxCores(devices, every); n != 0 {
		t.Errorf("%d cores of nothing", n)
	}
	for i := range 12 { // 4 cores of two threads, 4 of one
		list := fmt.Sprintf("%d-%d\n", i&^1, i|1)
		if i >= 8 {
			list = fmt.Sprintf("%d\n", i)
		}
		devices[fmt.Sprintf("system/cpu/cpu%d/topology/thread_siblings_list", i)] = &fstest.MapFile{Data: []byte(list)}
	}
	for _, c := range []struct {
		name    string
		allowed func(cpu int) bool
		want    int
	}{
		{"all", every, 8},
		{"one core's threads", func(cpu int) bool { return cpu == 2 || cpu == 3 }, 1},
		{"half of each core", func(cpu int) bool { return cpu%2 == 0 }, 6},
		{"none", func(int) bool { return false }, 0},
	} {
		if n := linuxCores(devices, c.allowed); n != c.want {
			t.Errorf("%s: %d cores, want %d", c.name, n, c.want)
		}
	}
	devices["cpu_core/cpus"] = &fstest.MapFile{Data: []byte("0-5,7\n")}
	if n := linuxCores(devices, every); n != 4 {
		t.Errorf("%d fast cores, want 4", n)
	}
	if n := Threads(); n < 1 || n > runtime.GOMAXPROCS(0) {
		t.Errorf("%d threads", n)
	}
}

func TestMemory(t *testing.T) {
	if n := PeakMemory(); runtime.GOOS == "linux" && n < 1<<20 {
		t.Errorf("a peak of %d bytes", n)
	}
	if n := AvailableMemory(); runtime.GOOS == "linux" && n < 1<<20 {
		t.Errorf("%d bytes available", n)
	}
}
