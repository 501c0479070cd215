# Two panes work on when nobody looks, wait for each other, and show what they must.
set -eu
socket=$PWD/socket
t() { tmux -S "$socket" "$@"; }
trap 't kill-server 2>/dev/null || :' EXIT
t new-session -d -s work -x 80 -y 24
sleep 0.2
t has-session -t work 2>/dev/null || { echo "the session did not outlive its client" >&2; exit 1; }
t split-window -t work
t send-keys -t work:0.0 "tmux -S '$socket' wait-for started; echo \$((6 * 7)) > answer; tmux -S '$socket' wait-for -S done" Enter
t send-keys -t work:0.1 "tmux -S '$socket' wait-for -S started" Enter
timeout 15 tmux -S "$socket" wait-for done || { t capture-pane -p -t work:0.0 >&2; echo "the panes do not wait for each other" >&2; exit 1; }
[ "$(cat answer)" = 42 ] || { echo "the pane wrote: $(cat answer)" >&2; exit 1; }
t send-keys -t work:0.1 'clear; printf "%s-%s\n" left right; tmux -S '"'$socket'"' wait-for -S shown' Enter
timeout 15 tmux -S "$socket" wait-for shown
t capture-pane -p -t work:0.1 | grep -qx 'left-right' || { echo "the screen of the pane lacks its line" >&2; exit 1; }
panes=$(t list-panes -t work | wc -l)
[ "$panes" = 2 ] || { echo "the window has $panes panes" >&2; exit 1; }
printf '{"panes": %s, "versions": {"tmux": "%s"}}\n' "$panes" "$(tmux -V | cut -d' ' -f2)"
