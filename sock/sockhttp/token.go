package sockhttp

import "ringo/internal/httptext"

// HasToken reports whether a field that is a list of tokens has one: such as Connection, whose values a Header has by
// that name, "upgrade" or "close". Letters of ASCII count as the same in either case; token must be in lower case. Any
// goroutine may call it; it does not park.
func HasToken(values []string, token string) bool { return httptext.HasToken(values, token) }
