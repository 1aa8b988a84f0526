//! Progress bars: what is done, how fast, what remains. On a terminal only; elsewhere one line a piece of work.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use septet_platform::Progress;
use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

pub struct Bars {
    current: Mutex<Option<(ProgressBar, Instant)>>,
    quiet: bool,
}

impl Bars {
    /// `quiet`: for programs; nothing is drawn.
    pub fn new(quiet: bool) -> Bars {
        Bars { current: Mutex::new(None), quiet }
    }

    fn with(&self, act: impl FnOnce(&ProgressBar)) {
        if let Some((bar, _)) = self.current.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            act(bar);
        }
    }
}

fn style(total: bool, unit: &str) -> ProgressStyle {
    let template = match (total, unit) {
        (true, "rows") => "  {msg:26} {bar:30} {human_pos}/{human_len} rows, {per_sec}, {eta} left",
        (true, _) => "  {msg:26} {bar:30} {human_pos}/{human_len}, {eta} left",
        (false, _) => "  {msg:26} {spinner} {human_pos} rows, {per_sec}",
    };
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

impl Progress for Bars {
    fn begin(&self, what: &str, total: Option<u64>, unit: &'static str) {
        let target = if self.quiet || !std::io::stderr().is_terminal() {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr()
        };
        let bar = ProgressBar::with_draw_target(total, target)
            .with_style(style(total.is_some(), unit))
            .with_message(what.to_owned());
        bar.enable_steady_tick(Duration::from_millis(200));
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Some((bar, Instant::now()));
    }

    fn done(&self, amount: u64) {
        self.with(|bar| bar.set_position(amount));
    }

    fn end(&self) {
        let ended = self.current.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some((bar, since)) = ended else { return };
        bar.finish_and_clear();
        if !self.quiet {
            eprintln!("  {:26} {:>12} {:6.1} s", bar.message(), bar.position(), since.elapsed().as_secs_f64());
        }
    }

    fn say(&self, text: &str) {
        if !self.quiet {
            self.with(|bar| bar.suspend(|| ()));
            eprintln!("  {text}");
        }
    }
}
