package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

func (p *Program) completionCommand() *cobra.Command {
	shells := []cobra.Completion{"bash", "zsh", "fish", "powershell"}
	return &cobra.Command{
		Use:   "completion bash|zsh|fish|powershell",
		Short: "Print what makes a shell complete shiplog's commands and flags",
		Long: `Print a script for one shell. The packages install it; without a package:

  bash        source <(shiplog completion bash)
  zsh         source <(shiplog completion zsh)
  fish        shiplog completion fish | source
  powershell  shiplog completion powershell | Out-String | Invoke-Expression

Such a line in the shell's start file keeps it.`,
		ValidArgs: shells,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 || !slices.Contains(shells, args[0]) {
				return fmt.Errorf("name one shell (%s)", strings.Join(shells, ", "))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			root := cmd.Root()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(p.Stdout, true)
			case "zsh":
				return root.GenZshCompletion(p.Stdout)
			case "fish":
				return root.GenFishCompletion(p.Stdout, true)
			}
			return root.GenPowerShellCompletionWithDesc(p.Stdout)
		},
	}
}
