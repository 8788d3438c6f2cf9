package httpd

import "testing"

func TestHSSName(t *testing.T) {
	for _, c := range []struct{ id, name, image, tag, want string }{
		{"i", "n", "m", "t", "n"}, {"i", "", "m", "t", "m:t"}, {"i", "", "m", "", "m"}, {"i", "", "", "t", "i"}, {"", "", "", "t", ""},
	} {
		object := hssFilter{resourceName: c.want}.query(nil).Object
		if got := hssName(c.id, c.name, c.image, c.tag); got != c.want || c.want != "" && !object(c.id, c.name, c.image, c.tag) {
			t.Errorf("hssName(%q, %q, %q, %q) = %q, want %q", c.id, c.name, c.image, c.tag, got, c.want)
		}
	}
}
