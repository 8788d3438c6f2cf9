package httpd

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
)

// exportStore is the directory of the export jobs. One process writes it.
//
//	ID.json       the job, replaced as a whole at each step
//	ID.logs       the file that is downloaded
//	ID.*.tmp      one of them half written: removed when the store is opened
//	ID.json.bad   a job file that could not be read
type exportStore struct {
	dir    string
	logger *slog.Logger
}

// The ends of names in the directory.
const (
	jobFile  = ".json"
	logsFile = ".logs"
	halfFile = ".tmp"
	badFile  = ".bad"
)

const maxJobFile = 64 << 10 // bytes

// path is only ever made of ids that were made or checked here, never of what a client sends.
func (o exportStore) path(id, end string) string { return filepath.Join(o.dir, id+end) }

// load reads the jobs and puts the directory in order: a job file that is damaged is set aside under another
// name, what belongs to no job is removed. A directory that is not there holds no jobs.
func (o exportStore) load() ([]*exportJob, error) {
	entries, err := os.ReadDir(o.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read export jobs: %w", err)
	}
	var jobs []*exportJob
	known := map[string]bool{}
	for _, e := range entries {
		id, isJob := strings.CutSuffix(e.Name(), jobFile)
		if !isJob {
			continue
		}
		j, err := o.read(id)
		if err != nil {
			o.logger.Error("export job set aside", "file", o.path(id, jobFile+badFile), "err", err)
			if err := os.Rename(o.path(id, jobFile), o.path(id, jobFile+badFile)); err != nil {
				o.logger.Error("export job not set aside", "err", err)
			}
			continue
		}
		known[id] = true
		jobs = append(jobs, j)
	}
	for _, e := range entries {
		id, isLogs := strings.CutSuffix(e.Name(), logsFile)
		if strings.HasSuffix(e.Name(), halfFile) || isLogs && !known[id] {
			if err := os.Remove(filepath.Join(o.dir, e.Name())); err != nil {
				o.logger.Warn("rest of an export not removed", "err", err)
			}
		}
	}
	return jobs, nil
}

func (o exportStore) read(id string) (*exportJob, error) {
	fi, err := os.Stat(o.path(id, jobFile))
	if err != nil {
		return nil, err
	}
	if !fi.Mode().IsRegular() || fi.Size() > maxJobFile {
		return nil, fmt.Errorf("it is no file of at most %d bytes", maxJobFile)
	}
	b, err := os.ReadFile(o.path(id, jobFile))
	if err != nil {
		return nil, err
	}
	j := new(exportJob)
	if err := decodeStrict(b, j); err != nil {
		return nil, err
	}
	if j.ID != id {
		return nil, fmt.Errorf("it is about job %q", j.ID)
	}
	return j, j.check()
}

// save replaces the job's file. When it returns the job is on the disk.
func (o exportStore) save(j *exportJob) error {
	b, err := json.MarshalIndent(j, "", "  ")
	if err != nil {
		return fmt.Errorf("save export job: %w", err)
	}
	if err := os.MkdirAll(o.dir, 0o700); err != nil {
		return fmt.Errorf("save export job: %w", err)
	}
	err = o.replace(j.ID, jobFile, func(f *os.File) error {
		_, err := f.Write(append(b, '\n'))
		return err
	})
	if err != nil {
		return fmt.Errorf("save export job: %w", err)
	}
	return nil
}

// replace writes a file under another name and puts it in place when all of it is on the disk: a crash leaves
// the old one or the new one.
func (o exportStore) replace(id, end string, write func(*os.File) error) (err error) {
	tmp := o.path(id, end+halfFile)
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(tmp)
		}
	}()
	if err = write(f); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err = os.Rename(tmp, o.path(id, end)); err != nil {
		return err
	}
	return syncDir(o.dir)
}

// remove forgets a job: first the file, so that none is left that nobody knows.
func (o exportStore) remove(id string) error {
	for _, end := range []string{logsFile, jobFile} {
		if err := os.Remove(o.path(id, end)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove export: %w", err)
		}
	}
	return nil
}
