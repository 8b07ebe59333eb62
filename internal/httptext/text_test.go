package httptext

import (
	"strings"
	"testing"
)

// TestHasToken: tokens are whole, in any case of ASCII, in any of the lists.
func TestHasToken(t *testing.T) {
	for lists, want := range map[string]bool{
		"close": true, "CLOSE": true, " \tclose\t ": true, "a,close": true, "a , Close ,b": true, "a|b, close": true,
		"": false, "closed": false, "clos": false, "a close": false, "close;q=1": false, "\u017fclose": false,
		"clo\u017fe": false, "\u00a0close": false, ",,": false, "a|b": false,
	} {
		if got := HasToken(strings.Split(lists, "|"), "close"); got != want {
			t.Errorf("%q: %v", lists, got)
		}
	}
	if HasToken(nil, "close") {
		t.Error("no list has a token")
	}
}
