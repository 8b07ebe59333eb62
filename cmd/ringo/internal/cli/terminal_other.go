//go:build !unix

package cli

import (
	"io"
	"os"
)

// Terminal reports whether w is a terminal, as far as this system tells. It returns 80 columns and 24 rows for any.
func Terminal(w io.Writer) (width, height int, ok bool) {
	f, ok := w.(*os.File)
	if !ok {
		return 0, 0, false
	}
	info, err := f.Stat()
	return 80, 24, err == nil && info.Mode()&os.ModeCharDevice != 0
}
