package server

import (
	"strconv"
	"unicode/utf8"
)

// AppendText appends a member of a JSON object, with a comma before it. The text may come from a client: it can't end
// the quotes or the line, and bytes that are not UTF-8 become U+FFFD.
func AppendText(b []byte, name, text string) []byte {
	b = append(appendName(b, name), '"')
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r < ' ' || r == 0x7f || r == '\u2028' || r == '\u2029': // some readers take the last two for ends of lines
			b = append(b, `\u`...)
			for shift := 12; shift >= 0; shift -= 4 {
				b = append(b, "0123456789abcdef"[r>>shift&15])
			}
		case r == utf8.RuneError && n == 1:
			b = append(b, `\ufffd`...)
		default:
			b = append(b, text[i:i+n]...)
		}
		i += n
	}
	return append(b, '"')
}

// AppendCount is AppendText for a number.
func AppendCount(b []byte, name string, n int64) []byte {
	return strconv.AppendInt(appendName(b, name), n, 10)
}

func appendName(b []byte, name string) []byte {
	return append(append(append(b, `,"`...), name...), `":`...)
}
