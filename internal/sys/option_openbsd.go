//go:build openbsd

package sys

// nativeOptions is empty: keep-alive can't be set for a socket.
var nativeOptions = map[option]native{}

// takesIndex says whether an interface for multicast can be given by its index, in a struct ip_mreqn.
const takesIndex = false
