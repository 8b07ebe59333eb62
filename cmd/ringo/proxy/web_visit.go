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

// refused keeps what the server has refused before it was passed on. r is nil for what was no request.
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

// answers notes the status that the client gets.
func (v *visit) answers(status int) {
	if v != nil {
		v.status = status
	}
}

// reads notes what has come of the client's body.
func (v *visit) reads(n int, err error) {
	v.in += int64(n)
	if err != nil && err != io.EOF && !isOfProgram(err) {
		v.ends(endClient, err)
	}
}

// writes notes that more of the answer's body is the client's.
func (v *visit) writes(n int) {
	if v != nil {
		v.out += int64(n)
	}
}

// causeOfAnswer is what an error of an answer is. It is the client's if that has sent a body that is none, or has gone:
// then the request is over, unless this program has ended it, by the end of a read of its body.
func causeOfAnswer(r *http.Request, err error) cause {
	body, _ := r.Body.(*lent)
	cut := body != nil && body.cut && isOfProgram(err)
	if body != nil && body.err != nil || r.Context().Err() != nil && !cut {
		return endClient
	}
	return causeOf(err)
}
