package sockhttp

import (
	"net/url"
)

// stale is the text that a handler finds in memory that it must not have kept.
const stale = "sockhttp: used behind its handler's end"

// poison spoils an exchange that no code may use any more: its texts are stale, and its methods fail or panic.
func (x *exchange) poison() {
	clear(x.memory.fields)
	clear(x.res.header)
	for i := range x.memory.values {
		x.memory.values[i] = stale
	}
	if x.body == nil {
		x.body = new(body)
	}
	x.reset()
	x.end()
	x.res.x, x.ctx.Context = nil, nil
	x.url = url.URL{Path: stale}
	x.made = *blank.WithContext(&x.ctx)
	x.made.Method, x.made.RequestURI = stale, stale
	x.made.Body = x.body
	x.res.spare, x.memory = nil, memory{}
}
