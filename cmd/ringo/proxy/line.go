package proxy

import (
	"time"

	"ringo/cmd/ringo/internal/server"
)

// appendLine appends a visit as a JSON object. It leaves out what there was not, such as an upstream that was never
// chosen.
func (v *visit) appendLine(b, stamp []byte) []byte {
	b = append(append(append(b, `{"time":"`...), stamp...), '"')
	b = server.AppendText(b, "client", v.client)
	if v.request != nil {
		b = server.AppendText(b, "method", v.request.Method)
		b = server.AppendText(b, "host", v.request.Host)
		b = server.AppendText(b, "uri", v.request.RequestURI)
		b = server.AppendText(b, "proto", v.request.Proto)
	}
	if v.status > 0 {
		b = server.AppendCount(b, "status", int64(v.status))
	}
	b = server.AppendCount(b, "bytes_in", v.in)
	b = server.AppendCount(b, "bytes_out", v.out)
	if v.u != nil {
		b = server.AppendText(b, "upstream", v.u.name)
		b = server.AppendCount(b, "tries", int64(v.tries))
	}
	b = appendTime(b, "wait_us", v.wait)
	b = appendTime(b, "first_us", v.first)
	b = appendTime(b, "total_us", v.total)
	b = server.AppendText(b, "end", string(v.why))
	if v.err != nil {
		b = server.AppendText(b, "error", v.err.Error())
	}
	return append(b, '}')
}

// appendTime appends d in microseconds, unless it is 0: then the moment has not come.
func appendTime(b []byte, name string, d time.Duration) []byte {
	if d == 0 {
		return b
	}
	return server.AppendCount(b, name, d.Microseconds())
}
