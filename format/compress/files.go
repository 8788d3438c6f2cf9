package compress

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"shiplog/format"
)

const readBytes = 256 << 10

// errOther says that a file does not hold what was sealed.
var errOther = errors.New("it does not hold what was sealed")

// make writes the compressed file of a segment.
func (c *Compressor) make(ctx context.Context, name string, fi fs.FileInfo, want string, bytes int64) (err error) {
	src, err := c.log.OpenSegment(name)
	if err != nil {
		return err
	}
	defer src.Close()
	if src.Compressed() {
		return nil // the plain one went since it was looked at
	}
	if err := c.room(bytes); err != nil {
		return err
	}
	tmp := c.packed(name) + temp
	defer func() {
		if err != nil {
			_ = os.Remove(tmp)
		}
	}()
	if err := c.write(ctx, tmp, src, fi, want, bytes); err != nil {
		if errors.Is(err, errOther) {
			c.leave(name, err)
			_ = os.Remove(tmp)
			return nil
		}
		return err
	}
	err = c.o.Hold(func() error {
		if _, err := os.Lstat(c.path(name)); err != nil {
			return err // removed by rule meanwhile: it must not come back
		}
		if err := c.o.step("rename"); err != nil {
			return err
		}
		if err := os.Rename(tmp, c.packed(name)); err != nil {
			return err
		}
		return format.SyncDir(c.log.Dir())
	})
	if errors.Is(err, fs.ErrNotExist) {
		return errors.Join(os.Remove(tmp))
	}
	if err == nil {
		c.made[name] = c.o.Now()
	}
	return err
}

// clean removes what an earlier process did not bring to its end.
func (c *Compressor) clean() error {
	ents, err := os.ReadDir(c.log.Dir())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range ents {
		if name, ok := strings.CutSuffix(e.Name(), format.CompressedSuffix+temp); ok {
			if _, is := format.SegmentFirst(name); is {
				err = errors.Join(err, os.Remove(filepath.Join(c.log.Dir(), e.Name())))
			}
		}
	}
	return err
}

// room tells whether the disk has space for a second file without coming near its end.
func (c *Compressor) room(bytes int64) error {
	if free, err := format.FreeSpace(c.log.Dir()); err == nil && free < 4*uint64(bytes) {
		return fmt.Errorf("%d bytes are free on the disk, and %d are wanted while both files are there", free, 4*bytes)
	}
	return nil
}

// leave notes that a segment is not what was sealed.
func (c *Compressor) leave(name string, err error) {
	c.bad[name] = true
	c.o.Logger.Error("a segment is not compressed: look at it with shiplog verify", "segment", name, "err", err)
}

// write writes and syncs a compressed file.
func (c *Compressor) write(ctx context.Context, path string, src io.ReaderAt, fi fs.FileInfo, want string, bytes int64) (err error) {
	if err := c.o.step("create"); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|syscall.O_NOFOLLOW, 0o640)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := f.Chmod(fi.Mode().Perm()); err != nil {
		return err
	}
	if c.w == nil {
		c.w, err = format.NewFrameWriter(f)
	} else {
		c.w.Reset(f)
	}
	if err != nil {
		return err
	}
	sum := sha256.New()
	n, err := c.copy(ctx, io.MultiWriter(c.w, sum), src, "write")
	if err == nil {
		err = c.w.Close()
	}
	if err != nil {
		return err
	}
	if err := same(sum, n, want, bytes); err != nil {
		return err
	}
	if err := c.o.step("sync"); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return os.Chtimes(path, fi.ModTime(), fi.ModTime())
}

// copy copies all of src, and tells each piece to the tests.
func (c *Compressor) copy(ctx context.Context, dst io.Writer, src io.ReaderAt, step string) (n int64, err error) {
	buf := make([]byte, readBytes)
	for {
		if err := ctx.Err(); err != nil {
			return n, err
		}
		if err := c.o.step(step); err != nil {
			return n, err
		}
		got, err := src.ReadAt(buf, n)
		if _, werr := dst.Write(buf[:got]); werr != nil {
			return n, werr
		}
		n += int64(got)
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

// same compares what was read with what was sealed.
func same(sum hash.Hash, n int64, want string, bytes int64) error {
	if got := hex.EncodeToString(sum.Sum(nil)); got != want || n != bytes {
		return fmt.Errorf("%w: %d bytes with the SHA-256 %s, sealed were %d with %s", errOther, n, got, bytes, want)
	}
	return nil
}

// replace reads a compressed file back and removes the plain one if it holds the same. One that does not is removed
// itself, and made anew by the next pass.
func (c *Compressor) replace(ctx context.Context, name, want string, bytes, stored int64) error {
	f, err := c.log.OpenCompressed(name)
	var n int64
	sum := sha256.New()
	if err == nil {
		n, err = c.copy(ctx, sum, f, "read")
		err = errors.Join(err, f.Close())
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err == nil {
		err = same(sum, n, want, bytes)
	}
	if errors.Is(err, fs.ErrNotExist) {
		delete(c.made, name)
		return nil // removed by rule meanwhile, or it is made anew
	}
	if err != nil {
		delete(c.made, name)
		return errors.Join(err, c.o.Hold(func() error { return os.Remove(c.packed(name)) }))
	}
	err = c.o.Hold(func() error {
		if _, err := os.Lstat(c.packed(name)); err != nil {
			return err // the plain one is the only one now
		}
		if err := c.o.step("remove"); err != nil {
			return err
		}
		if err := os.Remove(c.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return format.SyncDir(c.log.Dir())
	})
	if err != nil {
		return err
	}
	delete(c.made, name)
	c.count(func(s *Stats) {
		s.Segments++
		s.Plain += uint64(bytes)
		s.Stored += uint64(stored)
	})
	return nil
}
