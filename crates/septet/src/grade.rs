//! `septet grade`: asks for the production grade, shows it, writes it down.

use crate::bars::Bars;
use crate::settings::Settings;
use crate::show;
use crate::workshop::{Workshop, domains_of};
use anyhow::bail;
use septet_grade::{Grade, Sabotage, line_names, score_of};
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;

/// What is wanted of a grading.
pub struct GradeRequest {
    pub domain: Option<String>,
    pub min_grade: Option<String>,
    pub sabotage: Option<String>,
    pub out: PathBuf,
}

pub async fn grade(settings: &Settings, request: &GradeRequest, json: bool) -> anyhow::Result<ExitCode> {
    let sabotage = Sabotage(request.sabotage.clone());
    if let Some(line) =
        request.sabotage.as_deref().filter(|line| *line != "all" && line_names().all(|name| name != *line))
    {
        bail!("`{line}` is no line; expected all, or one of {}", line_names().collect::<Vec<_>>().join(", "));
    }
    let floor = match request.min_grade.as_deref() {
        None => 0.0,
        Some(letter) => match score_of(letter) {
            Some(score) => score,
            None => bail!("`{letter}` is no grade; expected one of A+, A, A-, B+ ... D-, F"),
        },
    };
    let names = match &request.domain {
        Some(name) => vec![name.clone()],
        None => domains_of(settings)?.names(),
    };
    let mut grades = Vec::new();
    for name in names {
        let subject = Workshop::open(settings, &name).await?.subject(settings).await?;
        let grade = septet_grade::grade(&subject, &sabotage, &Bars::new(json)).await?;
        if !json {
            show_grade(&grade);
        }
        grades.push(grade);
    }
    let document =
        json!({ "made_at": septet_platform::instant_text(septet_platform::now_micros()), "domains": grades });
    std::fs::write(&request.out, serde_json::to_vec_pretty(&document)?)?;
    if json {
        println!("{document}");
    } else {
        println!("\nWritten: {}", request.out.display());
    }
    let enough = grades.iter().all(|grade| grade.score >= floor);
    Ok(if enough { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn show_grade(grade: &Grade) {
    let mut table = show::table(&["line", "points", "what was run", "evidence"]);
    for line in &grade.lines {
        let points = format!("{:.0} of {:.0}", line.points, line.points_max);
        table.add_row(vec![line.name.to_owned(), points, line.what.to_owned(), line.evidence.clone()]);
    }
    println!("\n{table}\n{}: {:.0} of 100, {}", grade.domain, grade.score, grade.letter);
}
