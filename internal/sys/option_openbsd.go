//go:build openbsd

package sys

// nativeOptions are none: keep-alive is the system's matter.
var nativeOptions = map[option]native{}

// takesIndex says that an interface of a multicast may be named by its number, in a struct ip_mreqn.
const takesIndex = false
