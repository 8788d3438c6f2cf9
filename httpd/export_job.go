package httpd

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// The states of an export job.
//
//	queued --> written --> notifying --> done        all that was to be told has been told
//	   |                       ^   \--> failed       the file or a message was given up
//	   \-- given up -----------/
const (
	exportQueued    = "queued"    // the file is to be written
	exportWritten   = "written"   // the file is there; nobody was told
	exportNotifying = "notifying" // telling has begun, and what will be told is fixed
	exportDone      = "done"
	exportFailed    = "failed"
)

// What a receiver is told of a job.
const (
	exportSuccess  = "success"
	exportTimedOut = "timedout" // the file expired before anybody could be told
)

const (
	exportRetries = 3         // after the first try, of each thing
	exportLife    = time.Hour // of a file, from its completion
)

// exportJob is one export, as it stands in its file.
type exportJob struct {
	Version int    `json:"version"` // 1
	ID      string `json:"id"`      // UUID v4, known to who asked
	Secret  string `json:"secret"`  // UUID v4, the part of the download's name that is told to nobody else
	State   string `json:"state"`
	Result  string `json:"result,omitempty"` // exportSuccess, exportFailed, exportTimedOut; "": not known yet

	User  string    `json:"user"` // the scope, as quayScope
	NS    string    `json:"ns"`
	Repo  string    `json:"repo"`
	From  time.Time `json:"from"`
	To    time.Time `json:"to"`
	Upto  uint64    `json:"upto"` // seq of the newest record when the job was queued: nothing later is in it
	Owner string    `json:"owner"`

	Base     string   `json:"base"` // URL of this server, as the receiver is to know it
	Callback delivery `json:"callback"`
	Mail     delivery `json:"mail"`

	Queued   time.Time `json:"queued"`
	Attempts int       `json:"attempts"` // to write the file, begun
	Next     time.Time `json:"next"`     // not before
	Ended    time.Time `json:"ended"`    // when the file was complete, or given up; zero: neither
}

// delivery is one message that a job has to get rid of.
type delivery struct {
	To       string    `json:"to,omitempty"` // URL or e-mail address; "": nobody is to be told
	Attempts int       `json:"attempts"`     // begun
	Next     time.Time `json:"next"`
	Sent     bool      `json:"sent"`
	GaveUp   bool      `json:"gave_up,omitempty"`
}

func (d *delivery) open() bool { return d.To != "" && !d.Sent && !d.GaveUp }

// check tells what makes a job that was read from a file unusable.
func (j *exportJob) check() error {
	for _, id := range []string{j.ID, j.Secret} {
		if u, err := uuid.Parse(id); err != nil || u.String() != id {
			return fmt.Errorf("%q is no id", id)
		}
	}
	switch {
	case j.Version != 1:
		return fmt.Errorf("version %d is not known to this program (it knows 1)", j.Version)
	case j.User == "" && j.NS == "":
		return errors.New("it says not whose log is to be exported")
	case j.Base == "":
		return errors.New("base is missing")
	}
	switch j.State {
	case exportQueued:
		return nil
	case exportWritten, exportNotifying, exportDone, exportFailed:
		if j.Ended.IsZero() {
			return fmt.Errorf("state is %s but ended is missing", j.State)
		}
		return nil
	}
	return fmt.Errorf("state %q is unknown", j.State)
}

// over tells whether there is nothing left to do but to forget it.
func (j *exportJob) over() bool { return j.State == exportDone || j.State == exportFailed }

// expired tells whether the file is past its time.
func (j *exportJob) expired(now time.Time) bool {
	return !j.Ended.IsZero() && !now.Before(j.Ended.Add(exportLife))
}

// hasFile tells whether the file may be downloaded.
func (j *exportJob) hasFile(now time.Time) bool {
	return j.State != exportQueued && j.Result == exportSuccess && !j.expired(now)
}

// due is when the next step is to be taken.
func (j *exportJob) due() time.Time {
	switch {
	case j.State == exportQueued:
		return j.Next
	case j.over():
		return j.Ended.Add(exportLife)
	case j.Callback.open() && (!j.Mail.open() || j.Callback.Next.Before(j.Mail.Next)):
		return j.Callback.Next
	case j.Mail.open():
		return j.Mail.Next
	}
	return time.Time{}
}

func (j *exportJob) scope() quayScope { return quayScope{user: j.User, ns: j.NS, repo: j.Repo} }
func (j *exportJob) span() quaySpan   { return quaySpan{j.From, j.To} }

// namespace is what the export is of, by name.
func (j *exportJob) namespace() string { return orDefault(j.User, j.NS) }

// repository is the repository's name, or nil for a whole namespace.
func (j *exportJob) repository() *string {
	if j.Repo == "" {
		return nil
	}
	return &j.Repo
}

// url is where the file is found.
func (j *exportJob) url() string { return j.Base + exportPath + "/" + j.ID + "-" + j.Secret }

// exportMessage is what a callback is sent.
type exportMessage struct {
	ExportID   string  `json:"export_id"`
	StartTime  string  `json:"start_time"` // MM/DD/YYYY
	EndTime    string  `json:"end_time"`   // the day after the last
	Namespace  string  `json:"namespace"`
	Repository *string `json:"repository"`
	URL        *string `json:"exported_data_url"` // nil unless it is a success
	Status     string  `json:"status"`
}

func (j *exportJob) message() ([]byte, error) {
	const layout = "01/02/2006"
	m := exportMessage{ExportID: j.ID, StartTime: j.From.UTC().Format(layout), EndTime: j.To.UTC().Format(layout),
		Namespace: j.namespace(), Repository: j.repository(), Status: j.Result}
	if j.Result == exportSuccess {
		u := j.url()
		m.URL = &u
	}
	return json.Marshal(m)
}

// letter is what an e-mail says.
func (j *exportJob) letter() (subject, body string) {
	what := j.namespace()
	if j.Repo != "" {
		what += "/" + j.Repo
	}
	span := j.From.UTC().Format(time.DateTime) + " to " + j.To.UTC().Format(time.DateTime) + " UTC"
	if j.Result != exportSuccess {
		return "Log export of " + what + " failed",
			fmt.Sprintf("The export %s of the logs of %q, %s, could not be made (%s).\nIt can be asked for again.\n", j.ID, what, span, j.Result)
	}
	return "Log export of " + what,
		fmt.Sprintf("The logs of %q, %s, are ready until %s UTC:\n\n%s\n\nWho knows this address can read them.\nExport %s\n",
			what, span, j.Ended.Add(exportLife).UTC().Format(time.DateTime), j.url(), j.ID)
}
