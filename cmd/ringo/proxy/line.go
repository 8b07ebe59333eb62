package proxy

import (
	"strconv"
	"time"
	"unicode/utf8"
)

// appendLine appends a visit as an object of JSON. What there was not, such as an upstream's answer, it leaves out.
func (v *visit) appendLine(b, stamp []byte) []byte {
	b = append(append(append(b, `{"time":"`...), stamp...), '"')
	b = appendText(b, "client", v.client)
	if v.request != nil {
		b = appendText(b, "method", v.request.Method)
		b = appendText(b, "host", v.request.Host)
		b = appendText(b, "uri", v.request.RequestURI)
		b = appendText(b, "proto", v.request.Proto)
	}
	if v.status > 0 {
		b = appendCount(b, "status", int64(v.status))
	}
	b = appendCount(b, "bytes_in", v.in)
	b = appendCount(b, "bytes_out", v.out)
	if v.u != nil {
		b = appendText(b, "upstream", v.u.name)
		b = appendCount(b, "tries", int64(v.tries))
	}
	b = appendTime(b, "wait_us", v.wait)
	b = appendTime(b, "first_us", v.first)
	b = appendTime(b, "total_us", v.total)
	b = appendText(b, "end", string(v.why))
	if v.err != nil {
		b = appendText(b, "error", v.err.Error())
	}
	return append(b, '}')
}

func appendCount(b []byte, name string, n int64) []byte {
	return strconv.AppendInt(appendName(b, name), n, 10)
}

// appendTime leaves out what has not come: 0.
func appendTime(b []byte, name string, d time.Duration) []byte {
	if d == 0 {
		return b
	}
	return appendCount(b, name, d.Microseconds())
}

func appendName(b []byte, name string) []byte {
	return append(append(append(b, `,"`...), name...), `":`...)
}

// appendText appends what may come from a client, so that it can't end the quotes or the line.
func appendText(b []byte, name, text string) []byte {
	b = append(appendName(b, name), '"')
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r < ' ' || r == 0x7f || r == '\u2028' || r == '\u2029': // the last two end lines for some readers
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
