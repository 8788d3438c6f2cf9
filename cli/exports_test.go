package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"shiplog/httpd"
)

func TestExportFlagsReachTheServer(t *testing.T) {
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte("hush\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var f exportFlags
	cmd := &cobra.Command{}
	f.add(cmd)
	err := cmd.ParseFlags([]string{"--export-allowed-hosts", "nas.lan,192.168.7.0/24", "--export-retry-delay", "5s", "--quay-export-status", "200",
		"--public-url", "https://logs.example.com", "--smtp", "mail.example.com:587", "--smtp-from", "box@example.com", "--smtp-user", "box",
		"--smtp-password-file", file, "--smtp-tls", "tls"})
	if err != nil {
		t.Fatal(err)
	}
	o, err := (&daemon{exports: f}).settings()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Join(o.ExportAllowedHosts, " ") != "nas.lan 192.168.7.0/24" ||
		o.ExportRetryDelay != 5*time.Second || o.QuayExportStatus != 200 || o.PublicURL != "https://logs.example.com" {
		t.Errorf("settings = %+v, want what the flags say", o)
	}
	want := httpd.SMTP{Addr: "mail.example.com:587", From: "box@example.com", Username: "box", Password: "hush", TLS: httpd.MailTLS}
	if o.SMTP == nil || *o.SMTP != want {
		t.Errorf("SMTP = %+v, want %+v", o.SMTP, want)
	}
}

func TestExportsWithoutFlags(t *testing.T) {
	var f exportFlags
	f.add(&cobra.Command{})
	writer, err := (&daemon{exports: f}).settings()
	if err != nil || writer.SMTP != nil || writer.QuayExportStatus != 201 || writer.ExportRetryDelay != time.Minute {
		t.Errorf("settings = %+v %v, want no mail server, status 201 and a minute", writer, err)
	}
}
