package sockhttp

import (
	"net/http"
	"sync/atomic"
	"time"
)

// dated is a Date field for one second.
type dated struct {
	second int64
	text   string
}

var lastDate atomic.Pointer[dated]

// dateNow is now as a Date field has it.
func dateNow() string { return dateOf(time.Now()) }

func dateOf(now time.Time) string {
	d := lastDate.Load()
	if d == nil || d.second != now.Unix() {
		d = &dated{now.Unix(), now.UTC().Format(http.TimeFormat)}
		lastDate.Store(d)
	}
	return d.text
}
