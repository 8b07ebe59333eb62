// Package lib does all sorts of things.
package lib

import (
	"fmt"
	"net/http"
	"os"
	"time"
)

// Do does them. The least of them comes first, and the worst last.
func Do() {
	fmt.Println("begins")  // want whole `fmt.Println`
	os.ReadFile("a")       // want whole `os.ReadFile`
	os.ReadFile("b")       // want whole `os.ReadFile`
	os.Remove("a")         // want whole `os.Remove`
	http.Get("http://a/b") // want whole `net/http.Get|http.Get`
	one()
}

func one() { two() }

func two() { three() }

func three() { four() }

func four() {
	time.Sleep(1) // want whole `time.Sleep .*lib.Do -> \.\.\. -> lib.three -> lib.four -> time.Sleep`
}
