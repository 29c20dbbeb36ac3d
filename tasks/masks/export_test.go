package masks

// Runs shows the run lengths to the tests.
func (b *Bitmap) Runs() []int { return b.runs() }
