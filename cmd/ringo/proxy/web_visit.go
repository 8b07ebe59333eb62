package proxy

import (
	"io"
	"net"
	"net/http"

	"ringo"
)

// visits begins the visit of a request.
func (w *web) visits(r *http.Request) *visit {
	v := w.keeps.visit()
	if v != nil {
		v.request, v.client = r, r.RemoteAddr
	}
	return v
}

// refused records a request that the server itself has refused. r is nil if what came was not a request.
func (w *web) refused(c net.Conn, r *http.Request, status int, size int64) {
	v := w.keeps.visit()
	v.isOf(c.RemoteAddr())
	v.request = r
	v.out = size
	v.answers(status)
	v.ends(endRefused, nil)
	l, _ := ringo.Current()
	w.keeps.over(l, v)
}

// answers notes the status of the answer to the client.
func (v *visit) answers(status int) {
	if v != nil {
		v.status = status
	}
}

// reads notes a read of the client's body.
func (v *visit) reads(n int, err error) {
	v.in += int64(n)
	if err != nil && err != io.EOF && !isOfProgram(err) {
		v.ends(endClient, err)
	}
}

// writes notes that n more bytes of the answer's body went to the client.
func (v *visit) writes(n int) {
	if v != nil {
		v.out += int64(n)
	}
}

// causeOfAnswer returns the cause for the error of an answer. The cause is the client if it has sent a broken body or
// has gone, which ends the request's context. A context that ended because this program cut a read of the body off does
// not count.
func causeOfAnswer(r *http.Request, err error) cause {
	body, _ := r.Body.(*lent)
	cut := body != nil && body.cut && isOfProgram(err)
	if body != nil && body.err != nil || r.Context().Err() != nil && !cut {
		return endClient
	}
	return causeOf(err)
}
