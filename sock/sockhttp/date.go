package sockhttp

import (
	"net/http"
	"sync/atomic"
	"time"
)

// dated is the text of a Date field for one second.
type dated struct {
	second int64
	text   string
}

var lastDate atomic.Pointer[dated]

// dateNow returns the current time as in a Date field.
func dateNow() string { return dateOf(time.Now()) }

func dateOf(now time.Time) string {
	d := lastDate.Load()
	if d == nil || d.second != now.Unix() {
		d = &dated{now.Unix(), now.UTC().Format(http.TimeFormat)}
		lastDate.Store(d)
	}
	return d.text
}
