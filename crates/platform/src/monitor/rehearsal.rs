//! Would it be found? Faults of known kinds are put into what was observed, and the monitoring run is made again on it.

use crate::monitor::observed::ObservedRows;
use crate::monitor::{Gathered, MonitoringReport};
use crate::{NoProgress, PlatformError};
use septet_domain::Domain;
use septet_learn::frame::Column;

/// Windows that a fault lasts.
const WINDOWS: i64 = 5;
/// Of a gap: one row in so many is left.
const GAP_KEEPS: usize = 3;

/// Time after the reference that faults need: as many windows as they last before the newest one whose labels are known.
pub fn room(domain: &Domain) -> i64 {
    domain.spec.known_after().micros() + (WINDOWS + 2) * domain.spec.monitor.window.micros()
}

/// A fault, or its absence, and what the look said.
#[derive(Clone, Debug)]
pub struct Rehearsed {
    /// `quiet`, `drift`, `gap` or `label_shift`.
    pub name: &'static str,
    pub passed: bool,
    pub evidence: String,
}

/// Rehearses on windows after the reference: there must be some. `spoiled`: tries that are made wrongly on purpose (a
/// fault in the quiet one, none in the others), to see that they fail then.
pub async fn rehearse(gathered: &Gathered, spoiled: &[&str]) -> Result<Vec<Rehearsed>, PlatformError> {
    let quiet = gathered.look(&NoProgress).await?;
    let undisturbed = match spoiled.contains(&"quiet") {
        false => quiet.clone(),
        true => {
            let mut fault = InjectedFault::new(gathered, gathered.grid.watched.end);
            fault.lose_rows();
            gathered.look_at(&fault.parts, &NoProgress).await?
        }
    };
    let pages = |look: &MonitoringReport| {
        look.findings
            .iter()
            .filter(|finding| finding.active && finding.severity == "page")
            .map(|finding| finding.watch.clone())
            .collect::<Vec<String>>()
    };
    let before = pages(&undisturbed);
    let evidence = match before.as_slice() {
        [] => format!("{} windows looked at, no page", quiet.watched.windows),
        found => format!("{} windows looked at, pages: {}", quiet.watched.windows, found.join(", ")),
    };
    let mut all = vec![Rehearsed { name: "quiet", passed: before.is_empty(), evidence }];
    let end = gathered.grid.watched.end;
    let mature_end = gathered.grid.immature_from().min(end);
    let tries: [(&'static str, &'static str, i64, Act); 3] = [
        ("drift", "drift", end, |fault| fault.shift_input()),
        ("gap", "rows", end, |fault| fault.lose_rows()),
        ("label_shift", "label_share", mature_end, |fault| fault.shift_labels()),
    ];
    let labelled = gathered.answerer.inputs.keeps_state();
    for (name, watch, end, act) in tries.into_iter().filter(|(name, ..)| labelled || *name != "label_shift") {
        let mut fault = InjectedFault::new(gathered, end);
        if !spoiled.contains(&name) {
            act(&mut fault);
        }
        let InjectedFault { parts, told, .. } = fault;
        let look = gathered.look_at(&parts, &NoProgress).await?;
        let found = look.findings.iter().find(|finding| finding.watch == watch && !is_in(&quiet, finding));
        let evidence = match found {
            Some(finding) => format!("{told}; found in the window of {}", finding.found),
            None => format!("{told}; not found in {WINDOWS} windows"),
        };
        all.push(Rehearsed { name, passed: found.is_some(), evidence });
    }
    Ok(all)
}

/// Puts a fault in.
type Act = for<'b> fn(&mut InjectedFault<'b>);

/// What was there before the fault does not count as having found it.
fn is_in(quiet: &MonitoringReport, finding: &crate::monitor::Finding) -> bool {
    quiet.findings.iter().any(|other| other.watch == finding.watch && other.found == finding.found)
}

struct InjectedFault<'a> {
    gathered: &'a Gathered,
    from: i64,
    until: i64,
    parts: Vec<ObservedRows>,
    told: String,
}

impl<'a> InjectedFault<'a> {
    fn new(gathered: &'a Gathered, end: i64) -> InjectedFault<'a> {
        InjectedFault {
            gathered,
            from: end - WINDOWS,
            until: end,
            parts: gathered.parts.clone(),
            told: "nothing".to_owned(),
        }
    }

    fn holds(&self, time: i64) -> bool {
        (self.from..self.until).contains(&self.gathered.grid.number(time))
    }

    /// The number that matters most, or the first where none is known to matter, a third larger.
    fn shift_input(&mut self) {
        let importances = &self.gathered.answerer.manifest().importances;
        let Some(frame) = self.parts.first().map(|part| &part.frame) else { return };
        let numbers: Vec<(usize, &String)> = frame
            .names
            .iter()
            .enumerate()
            .zip(&frame.columns)
            .filter(|(_, column)| matches!(column, Column::Number(_)))
            .map(|(name, _)| name)
            .collect();
        let number = |name: &String| numbers.iter().find(|(_, known)| *known == name).map(|(at, _)| *at);
        let most = importances.iter().find_map(|(name, _)| Some((name.clone(), number(name)?)));
        let first = numbers.first().map(|(at, name)| ((*name).clone(), *at));
        let Some((name, at)) = most.or(first) else {
            return;
        };
        let (from, until, window) = (self.from, self.until, self.gathered.grid.window);
        for part in &mut self.parts {
            let ObservedRows { times, frame, .. } = part;
            if let Column::Number(values) = &mut frame.columns[at] {
                let rows = values.iter_mut().zip(times.iter());
                rows.filter(|(_, time)| (from..until).contains(&time.div_euclid(window))).for_each(|(v, _)| *v *= 1.3);
            }
        }
        self.told = format!("`{name}` 1.3 times as large in {WINDOWS} windows");
    }

    /// A feed that loses two rows of three.
    fn lose_rows(&mut self) {
        let parts = std::mem::take(&mut self.parts);
        for part in parts {
            let stays = |row: &u32| !self.holds(part.times[*row as usize]) || (*row as usize).is_multiple_of(GAP_KEEPS);
            let rows: Vec<u32> = (0..part.rows() as u32).filter(stays).collect();
            self.parts.extend(part.take(&rows).ok());
        }
        self.told = format!("two rows of three lost in {WINDOWS} windows");
    }

    /// Three times as many positives as there were.
    fn shift_labels(&mut self) {
        let (from, until, window) = (self.from, self.until, self.gathered.grid.window);
        for part in &mut self.parts {
            let ObservedRows { times, label, .. } = part;
            let within = |time: i64| (from..until).contains(&time.div_euclid(window));
            let positives =
                label.iter().zip(times.iter()).filter(|(label, time)| **label == 1.0 && within(**time)).count();
            let negatives = label.iter_mut().zip(times.iter()).filter(|(label, time)| **label == 0.0 && within(**time));
            let negatives: Vec<&mut f64> = negatives.map(|(label, _)| label).collect();
            let apart = (negatives.len() / (2 * positives).max(1)).max(1);
            negatives.into_iter().step_by(apart).for_each(|label| *label = 1.0);
        }
        self.told = format!("three times as many positives in {WINDOWS} windows whose labels are known");
    }
}
