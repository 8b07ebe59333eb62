package sockhttp

import (
	"net/url"
)

// stale is what a handler finds in what it was not to keep.
const stale = "sockhttp: used behind its handler's end"

// poison spoils an exchange that nobody may have any more: what is used of it all the same has the text stale, is an
// error, or panics.
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
