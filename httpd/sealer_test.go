package httpd

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestSealerKeepsItsKey(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "keys")
	one, err := openSealer(dir, "k")
	if err != nil {
		t.Fatal(err)
	}
	text := one.seal([]byte("about"), []byte("plain"))
	two, err := openSealer(dir, "k")
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := two.open([]byte("about"), text); err != nil || string(plain) != "plain" {
		t.Errorf("open after reading the key again = %q %v", plain, err)
	}
	if _, err := two.open([]byte("abou"), text); err == nil {
		t.Error("open about something else = nil, want an error")
	}
	if again := one.seal([]byte("about"), []byte("plain")); again == text {
		t.Error("the same was sealed alike twice")
	}
	other, err := openSealer("", "k")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.open([]byte("about"), text); err == nil {
		t.Error("open under another key = nil, want an error")
	}
	for path, mode := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, "k"): 0o600} {
		if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != mode {
			t.Errorf("mode of %s = %v %v, want %v", path, fi.Mode(), err, mode)
		}
	}
	if all, _ := os.ReadDir(dir); len(all) != 1 {
		t.Errorf("left behind: %v", all)
	}
}

// A text has no twin: the bits of the last character that hold nothing count too.
func TestSealedTextIsTheOnlyOne(t *testing.T) {
	s, err := openSealer("", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, plain := range []string{"", "a", "ab", "abc"} {
		text := s.seal(nil, []byte(plain))
		for c := range 256 {
			other := text[:len(text)-1] + string([]byte{byte(c)})
			if _, err := s.open(nil, other); (err == nil) != (other == text) {
				t.Errorf("open(%q) of %q = %v", other, text, err)
			}
		}
	}
}

func TestSealersThatStartTogetherAgree(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	texts := make([]string, 8)
	var wg sync.WaitGroup
	for i := range texts {
		wg.Go(func() {
			s, err := openSealer(dir, "k")
			if err != nil {
				t.Error(err)
				return
			}
			texts[i] = s.seal(nil, []byte("plain"))
		})
	}
	wg.Wait()
	s, err := openSealer(dir, "k")
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range texts {
		if _, err := s.open(nil, text); err != nil {
			t.Error("a sealer went on with a key that was not kept")
		}
	}
}

func TestSealerRefusesADamagedKey(t *testing.T) {
	for name, text := range map[string]string{"empty": "", "short": "abcd\n", "not hex": strings.Repeat("x", 64), "long": strings.Repeat("0", 66)} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "k")
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := openSealer(dir, "k"); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "remove it") {
				t.Errorf("openSealer = %v, want an error that names the file and says what to do", err)
			}
			if kept, _ := os.ReadFile(path); string(kept) != text {
				t.Error("the damaged key was replaced")
			}
		})
	}
	if _, err := openSealer(filepath.Join(t.TempDir(), "no\x00dir"), "k"); err == nil {
		t.Error("openSealer in a directory that cannot be = nil, want an error")
	}
}
