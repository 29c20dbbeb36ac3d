package jpeg

// Memory returns how many bytes Decode takes for data, by its frame header: for each sample one, in
// a progressive file two more and one for each block of 64, and RGB.
func Memory(data []byte) (int64, error) {
	d, err := toFrame(data)
	if err != nil {
		return 0, err
	}
	blocks := int64(0)
	for _, c := range d.components {
		blocks += int64(c.stride) * int64(c.v) * int64(d.mcuY)
	}
	perBlock := int64(64)
	if d.progressive {
		perBlock += 2*64 + 1
	}
	return blocks*perBlock + 3*int64(d.width)*int64(d.height), nil
}
