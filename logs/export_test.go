package logs

// Waiting is how many are to be told when what they wait for has gone out.
func (w *Writer) Waiting() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.waiting)
}

// Join has a Writer join writes into so many bytes.
func Join(w *Writer, bytes int) { w.join = bytes }
