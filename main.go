// Shiplog is the logbook of a container host.
package main

import (
	"os"

	"shiplog/cli"
)

func main() {
	os.Exit(cli.Main())
}
