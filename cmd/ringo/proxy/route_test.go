package proxy

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"
)

// routesOf makes routes of what is behind the addresses.
func routesOf(t *testing.T, http bool, queries ...string) *routes {
	t.Helper()
	o := &options{http: http, balance: balanceLeast}
	for i, query := range queries {
		if err := o.to.Set(fmt.Sprintf("10.0.0.%d:80%s", i, query)); err != nil {
			t.Fatal(err)
		}
	}
	return newRoutes(o, nil)
}

// TestRoutesOfNames: an exact name is before one with *, and that before none; * is one label.
func TestRoutesOfNames(t *testing.T) {
	rs := routesOf(t, false, "", "?sni=*.shop.example", "?sni=a.shop.example", "?sni=shop.example", "?sni=*.example")
	for name, want := range map[string]string{
		"a.shop.example": "sni=a.shop.example", "A.Shop.EXAMPLE": "sni=a.shop.example",
		"b.shop.example": "sni=*.shop.example", "x.a.shop.example": "", "shop.example": "sni=shop.example",
		"bank.example": "sni=*.example", "example": "", "": "", ".example": "", "shop.example.": "",
		"xshop.example": "sni=*.example", "\u017Fhop.example": "sni=*.example", "a.shop\u212A.example": "",
	} {
		if us := rs.ofName(name); us == nil || us.words("") != want {
			t.Errorf("%q goes to %v, want %q", name, us, want)
		}
	}
	if us := routesOf(t, false, "?sni=a").ofName("b"); us != nil {
		t.Errorf("a name that no upstream is for goes to %v", us.all)
	}
}

// TestRoutesOfRequests: the most specific route is a request's, by its host and then by its path; and no path is
// written so that it gets by another.
func TestRoutesOfRequests(t *testing.T) {
	for _, c := range []struct {
		routes           []string
		host, path, want string
	}{
		{[]string{""}, "h", "/../a", ""},
		{[]string{"?host=shop.example", ""}, "SHOP.example:8080", "/", "host=shop.example"},
		{[]string{"?host=shop.example", ""}, "shop.example.", "/", "host=shop.example"},
		{[]string{"?host=shop.example", ""}, "shop.example.:80", "/", "host=shop.example"},
		{[]string{"?host=shop.example", ""}, "[::1]:80", "/", ""},
		{[]string{"?host=shop.example", ""}, "shop.example@x", "/", ""},
		{[]string{"?host=shop.example"}, "other", "/", "421"},
		{[]string{"?host=shop.example"}, "", "/", "421"},
		{[]string{"?host=shop.example"}, "shop.example", "/../x", "host=shop.example"},
		{[]string{"?host=*.example", "?host=a.example&path=/x", "?path=/x/y"}, "a.example", "/x/y/z",
			"host=a.example&path=/x"},
		{[]string{"?host=*.example", "?host=a.example&path=/x", "?path=/x/y"}, "a.example", "/y", "host=*.example"},
		{[]string{"?host=*.example", "?host=a.example&path=/x", "?path=/x/y"}, "b", "/x/y", "path=/x/y"},
		{[]string{"?host=*.example", "?host=a.example&path=/x", "?path=/x/y"}, "b", "/x", "404"},
		{[]string{"?host=a&path=/x"}, "b", "/x", "421"},
		{[]string{"?host=a&path=/x"}, "a", "/y", "404"},
		{[]string{"?path=/a", "?path=/a/b", ""}, "h", "/a", "path=/a"},
		{[]string{"?path=/a", "?path=/a/b", ""}, "h", "/a/", "path=/a"},
		{[]string{"?path=/a", "?path=/a/b", ""}, "h", "/a/b", "path=/a/b"},
		{[]string{"?path=/a", "?path=/a/b", ""}, "h", "/a/bc", "path=/a"},
		{[]string{"?path=/a", "?path=/a/b", ""}, "h", "/ab", ""},
		{[]string{"?path=/a", "?path=/a/b", ""}, "h", "/A", ""},
		{[]string{"?path=/a", "?path=/a/b", ""}, "h", "/%61/%62", "path=/a/b"},
		{[]string{"?path=/a", "?path=/a/b", ""}, "h", "//a//b", "path=/a/b"},
		{[]string{"?path=/a", "?path=/a/b", ""}, "h", "/a%2fb", "path=/a/b"},
		{[]string{"?path=/a", "?path=/a/b", ""}, "h", "/a/.b/..c/d..", "path=/a"},
		{[]string{"?path=/a", "?path=/a/b", ""}, "h", "*", ""},
		{[]string{"?path=/a"}, "h", "*", "404"},
		{[]string{"?path=/"}, "h", "/x", "path=/"},
		{[]string{"?path=/"}, "h", "http://h", "path=/"},
		{[]string{"?path=/", ""}, "h", "http:x", "400"},
		{[]string{"?path=/a", ""}, "h", "/a/../b", "400"},
		{[]string{"?path=/a", ""}, "h", "/b/../a", "400"},
		{[]string{"?path=/a", ""}, "h", "/a/%2e%2E/b", "400"},
		{[]string{"?path=/a", ""}, "h", "/a/.%2e/b", "400"},
		{[]string{"?path=/a", ""}, "h", "/a/..%2fb", "400"},
		{[]string{"?path=/a", ""}, "h", "/a/..%5cb", "400"},
		{[]string{"?path=/a", ""}, "h", "/a/x%5c..%5cb", "400"},
		{[]string{"?path=/a", ""}, "h", "/a/..;x=1/b", "400"},
		{[]string{"?path=/a", ""}, "h", "/a//../b", "400"},
		{[]string{"?path=/a", ""}, "h", "/a/./b", "400"},
		{[]string{"?path=/a", ""}, "h", "/a/..", "400"},
		{[]string{"?path=/a", ""}, "h", "/a/.", "400"},
	} {
		u, err := url.ParseRequestURI(c.path)
		if err != nil {
			t.Fatal(err)
		}
		us, status := routesOf(t, true, c.routes...).ofRequest(&http.Request{Host: c.host, URL: u})
		got := fmt.Sprint(status)
		if us != nil {
			got = us.words("")
		}
		if got != c.want {
			t.Errorf("%v: %s%s goes to %q, want %q", c.routes, c.host, c.path, got, c.want)
		}
	}
}
