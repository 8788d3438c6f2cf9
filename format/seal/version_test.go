package seal

import (
	"os"
	"testing"
)

// The key of testdata/v1, as it was printed when that log was begun.
const v1Key = "shiplog/nas-9d346978+20512321+AR4qaxjNosbAwENvlDrfGB5dBoi0Q9Rv2iRfFuxSrHTX"

// TestReadVersion1 verifies a log of the first version of the format, which every later one must be able to: two
// epochs, one of them ended by a tail, and a late segment that was retired.
func TestReadVersion1(t *testing.T) {
	r, err := Verify(t.Context(), "testdata/v1", VerifyOptions{Key: v1Key, now: true})
	if err != nil {
		t.Fatal(err)
	}
	wantOK(t, "version 1", r)
	if r.Size != 6 || r.Segments != 3 || r.Retired != 1 || r.Late != 0 || r.Records != 5 || r.ActiveSigned != r.ActiveBytes || r.ActiveBytes == 0 {
		t.Errorf("Verify = %+v", r)
	}
}

// TestGoOnAfterVersion1 continues a copy of it, which has no keys.
func TestGoOnAfterVersion1(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/v1")); err != nil {
		t.Fatal(err)
	}
	b := openBox(t, dir, Options{})
	b.write(1)
	b.seal()
	b.close()
	if r := b.verify(VerifyOptions{}); r.Result != ResultOK || r.Segments != 4 {
		t.Errorf("Verify = %+v", r)
	}
}
