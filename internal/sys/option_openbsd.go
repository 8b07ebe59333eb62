//go:build openbsd

package sys

// nativeOptions are none: keep-alive is the system's matter.
var nativeOptions = map[option]native{}
