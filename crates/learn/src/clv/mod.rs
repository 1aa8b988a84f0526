//! What a customer will still buy, from three numbers of a purchase history: how often, how recently, for how long.
//!
//! `History` goes through `Compressed` into `BgNbd::fit` or `ParetoNbd::fit`, `Spend` into `GammaGamma::fit`; `value`
//! puts purchases and money together. Times are in any one unit (the papers: weeks), and so are all results.

pub mod bg_nbd;
pub mod compressed;
pub mod error;
pub mod fit;
pub mod gamma_gamma;
pub mod history;
pub mod nbd;
pub mod pareto_nbd;
pub mod value;

mod draws;
mod maximum;
mod power_integral;
mod special;

#[cfg(test)]
mod cdnow;
#[cfg(test)]
mod oracle;
#[cfg(test)]
mod recovery;
