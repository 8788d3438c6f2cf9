package cli

import (
	"github.com/spf13/cobra"
)

func (p *Program) completionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "completion bash|zsh|fish|powershell",
		Short: "Print what makes a shell complete shiplog's commands and flags",
		Long: `Print a script for one shell. The packages install it; without a package:

  bash        source <(shiplog completion bash)
  zsh         source <(shiplog completion zsh)
  fish        shiplog completion fish | source
  powershell  shiplog completion powershell | Out-String | Invoke-Expression

Such a line in the shell's start file keeps it.`,
		ValidArgs: []cobra.Completion{"bash", "zsh", "fish", "powershell"},
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
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
