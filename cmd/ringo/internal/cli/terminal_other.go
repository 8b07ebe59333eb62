//go:build !unix

package cli

import (
	"io"
	"os"
)

// Terminal is how many columns and rows w has, if it is a terminal, as far as it tells.
func Terminal(w io.Writer) (width, height int, ok bool) {
	f, ok := w.(*os.File)
	if !ok {
		return 0, 0, false
	}
	info, err := f.Stat()
	return 80, 24, err == nil && info.Mode()&os.ModeCharDevice != 0
}
