package sockhttp

import "ringo/internal/httptext"

// HasToken reports whether a field that is a list of tokens, such as Connection, has a token, such as "upgrade" or
// "close". values are the field's values in a Header. ASCII letters match in either case; token must be in lower case.
// Any goroutine may call it; it does not park.
func HasToken(values []string, token string) bool { return httptext.HasToken(values, token) }
