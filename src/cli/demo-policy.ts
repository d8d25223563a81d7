import type { Command } from 'commander';
import { playPolicy } from '../demo/policy.js';
import { policyJson, policyProblems, policyText } from '../demo/policy-report.js';
import { CommandFailure, EXIT, type Io, printJson } from './io.js';
import { untilStopped } from './stop-signal.js';

const help = `
What it does: starts a sidecar of its own in a temporary folder, with the shipped catalog and a clock that it sets, and plays
ten weeks of one account through the calls that a gateway and a billing backend make: Free, Starter, three agents, credits
converted into characters, an upgrade to Pro, usage, a cancellation. What is due between the calls (renewals, expiries, the
end of a grace) is done by the sweeper. Then it looks at the account, verifies the installation and removes it.
docs/credits.md explains every step.

The JSON: granted, available, spent, expired, converted in credits, ttsCharacters, agents.{active,suspended}, steps (day,
by, what, credits moved and left, lines of the ledger), statement, agentList, verify, problems.

Exit codes: 0 all figures are those of the example, 1 anything else.

Examples:
  $ drawdown demo policy
  $ drawdown demo policy --json`;

export function addPolicyCommand(demo: Command, io: Io): void {
  demo
    .command('policy')
    .description('play the worked example of the credit policy on a clock of its own; print the statement')
    .option('--json', 'print one JSON document')
    .addHelpText('after', help)
    .action(async ({ json }: { json?: boolean }) => {
      const played = await untilStopped(playPolicy);
      if (json === true) printJson(io, policyJson(played));
      else io.out(policyText(played));
      const problems = policyProblems(played);
      if (problems.length > 0)
        throw new CommandFailure(`Not as the example says: ${problems.join('; ')}`, EXIT.failed);
    });
}
