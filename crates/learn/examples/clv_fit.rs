//! Fits BG/NBD, Pareto/NBD and Gamma-Gamma on customers read from a file and prints one JSON object; for bench/purchases.py.
//! Lines: `frequency,recency,T,monetary`, the last 0 where there is no repeat purchase. Reading is not timed.

use std::error::Error;
use std::time::Instant;

use septet_learn::clv::bg_nbd::BgNbd;
use septet_learn::clv::compressed::Compressed;
use septet_learn::clv::gamma_gamma::GammaGamma;
use septet_learn::clv::history::{History, Spend};
use septet_learn::clv::pareto_nbd::ParetoNbd;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("a file of customers")?;
    let (mut histories, mut spends) = (Vec::new(), Vec::new());
    for line in std::fs::read_to_string(path)?.lines().skip(1) {
        let cells: Vec<f64> = line.split(',').map(str::parse).collect::<Result<_, _>>()?;
        histories.push(History::new(cells[0] as u32, cells[1], cells[2])?);
        if cells[0] > 0.0 {
            spends.push(Spend::new(cells[0] as u32, cells[3])?);
        }
    }
    let start = Instant::now();
    let customers = Compressed::from_customers(&histories);
    let bg = BgNbd::fit(&customers)?;
    let bg_seconds = start.elapsed().as_secs_f64();
    let start = Instant::now();
    let pareto = ParetoNbd::fit(&customers);
    let pareto_seconds = start.elapsed().as_secs_f64();
    let start = Instant::now();
    let money = GammaGamma::fit(&Compressed::from_customers(&spends))?;
    let money_seconds = start.elapsed().as_secs_f64();
    let said = serde_json::json!({
        "customers": histories.len(),
        "bg_nbd": { "seconds": bg_seconds, "parameters": bg.parameters, "log_likelihood": bg.log_likelihood },
        "pareto_nbd": {
            "seconds": pareto_seconds, "parameters": pareto.as_ref().ok().map(|fit| fit.parameters),
            "refused": pareto.as_ref().err().map(ToString::to_string),
        },
        "gamma_gamma": { "seconds": money_seconds, "parameters": money.parameters },
    });
    println!("{said}");
    Ok(())
}
