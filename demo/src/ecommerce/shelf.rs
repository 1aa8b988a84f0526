//! What the shop sells: 300 things in twelve groups, at prices that stand still but for one rise of one group, some of
//! which belong together.
//!
//! Prices and popularity are guesses. Things that belong together are of one style and bought together far more often
//! than chance would have it (some 9 to 30 times). Whatever else is in a basket was picked by popularity, one thing
//! regardless of the other; only the season and the size of purses make some such pairs up to 3 times as frequent.

use std::ops::Range;

use rand::RngExt;
use rand::distr::Distribution;
use rand::distr::weighted::WeightedIndex;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::calendar::is_autumn;
use super::{Purpose, random};
use crate::almanac::log_normal;

const STYLES_PER_GROUP: usize = 5;
const NOUNS: usize = 5;
const CHRISTMAS_GROUP: usize = 11;
const CHRISTMAS_FACTORS: [f64; 2] = [0.15, 5.0]; // on popularity: out of season, in autumn
const PRICE_MINOR: Range<f64> = 35.0..4_000.0;

const BUNDLES: usize = 12;
const BUNDLE_PRICE_MINOR_MAX: u32 = 1_200; // in all, so that most orders can pay for it

const RISE_DAYS: Range<u32> = 322..422; // spring, with months before and after and no season near
pub(super) const RISE_FACTOR: f64 = 1.12;
pub(super) const RISE_PICKS_FACTOR: f64 = 0.95; // how often the dearer things are still picked
/// How readily a basket takes one more piece of a dearer thing, against any other.
const RISE_APPETITE: f64 = 0.92;

struct Group {
    code: &'static str,
    price_minor: f64,
    nouns: [&'static str; NOUNS],
}

const GROUPS: [Group; 12] = [
    group("BAG", 300.0, ["LUNCH BAG", "SHOPPING BAG", "WASH BAG", "TOTE", "GIFT BAG"]),
    group("CAN", 220.0, ["PILLAR CANDLE", "TEALIGHT HOLDER", "CANDLE JAR", "TAPER CANDLES", "LANTERN"]),
    group("KIT", 420.0, ["TEA TOWEL", "APRON", "OVEN GLOVE", "STORAGE TIN", "CHOPPING BOARD"]),
    group("TEA", 380.0, ["CUP", "SAUCER", "TEAPOT", "SUGAR BOWL", "CAKE STAND"]),
    group("GAR", 450.0, ["WATERING CAN", "PLANT POT", "SEED TIN", "BIRD FEEDER", "WIND CHIME"]),
    group("TOY", 260.0, ["SKITTLES", "SPINNING TOP", "JIGSAW", "SOFT RABBIT", "PAINT SET"]),
    group("STA", 140.0, ["NOTEBOOK", "PENCIL TIN", "WRAPPING PAPER", "BIRTHDAY CARD", "STICKY NOTES"]),
    group("LIG", 700.0, ["NIGHT LIGHT", "STRING LIGHTS", "TABLE LAMP", "LAMP SHADE", "WALL LIGHT"]),
    group("CUS", 650.0, ["CUSHION", "CUSHION COVER", "DOOR STOP", "BEAN BAG", "THROW"]),
    group("BAT", 280.0, ["SOAP DISH", "BATH SALTS", "HAND TOWEL", "TOOTHBRUSH MUG", "BATH MAT"]),
    group("FRA", 480.0, ["PHOTO FRAME", "WALL CLOCK", "MIRROR", "PEG BOARD", "METAL SIGN"]),
    group("XMA", 180.0, ["BAUBLE", "STOCKING", "TREE STAR", "PAPER GARLAND", "ADVENT CALENDAR"]),
];

const STYLES: [&str; 15] = [
    "RED SPOT",
    "BLUE STRIPE",
    "IVORY LACE",
    "GREEN CHECK",
    "PINK ROSE",
    "VINTAGE MAP",
    "SILVER HEART",
    "NAVY ANCHOR",
    "WOODLAND FOX",
    "LEMON",
    "OWL",
    "SUNFLOWER",
    "RUSTIC OAK",
    "COPPER",
    "RAINBOW",
];

const fn group(code: &'static str, price_minor: f64, nouns: [&'static str; NOUNS]) -> Group {
    Group { code, price_minor, nouns }
}

pub(super) struct Shelf {
    /// By group, then style, then noun.
    pub things: Vec<Thing>,
    /// Positions of two or three things each; no thing is in two.
    pub bundles: Vec<Vec<u16>>,
    /// The first day of the new prices, and the things.
    pub rise_day: u32,
    pub risen: Range<u16>,
    /// What the bots are after.
    pub scarce: u16,
    picks: [WeightedIndex<f64>; 4],
}

pub(super) struct Thing {
    pub code: String,
    pub description: String,
    price_minor: u32,
    popularity: f64,
}

impl Shelf {
    pub fn draw(seed: u64) -> Shelf {
        let random = &mut random(seed, Purpose::Shelf, 0);
        let mut things = Vec::with_capacity(GROUPS.len() * STYLES_PER_GROUP * NOUNS);
        for (number, group) in GROUPS.iter().enumerate() {
            for place in 0..STYLES_PER_GROUP * NOUNS {
                things.push(Thing::draw(number, group, place, random));
            }
        }
        let rise_group = random.random_range(0..CHRISTMAS_GROUP);
        let risen = things_of(rise_group);
        let bundles = bundle_some(&things, rise_group, random);
        // Dear enough to be worth a crowd of bots, and with no other story to its name.
        let quiet = |thing: &u16| !risen.contains(thing) && !bundles.iter().flatten().any(|other| other == thing);
        let scarce = (0..things_of(CHRISTMAS_GROUP).start)
            .filter(quiet)
            .max_by_key(|thing| things[*thing as usize].price_minor)
            .expect("12 bundles leave most things alone");
        let picks = [[false, false], [false, true], [true, false], [true, true]].map(|[autumn, dearer]| {
            let weight = |(thing, Thing { popularity, .. }): (u16, &Thing)| {
                let christmas = things_of(CHRISTMAS_GROUP).contains(&thing);
                let season = if christmas { CHRISTMAS_FACTORS[usize::from(autumn)] } else { 1.0 };
                let price = if dearer && risen.contains(&thing) { RISE_PICKS_FACTOR } else { 1.0 };
                popularity * season * price
            };
            WeightedIndex::new((0..).zip(&things).map(weight)).expect("each is above 0")
        });
        Shelf { rise_day: random.random_range(RISE_DAYS), things, bundles, risen, scarce, picks }
    }

    /// Anything, by popularity on that day.
    pub fn pick(&self, day: u32, random: &mut ChaCha8Rng) -> u16 {
        let picks = 2 * usize::from(is_autumn(day)) + usize::from(day >= self.rise_day);
        self.picks[picks].sample(random) as u16
    }

    pub fn price_minor(&self, thing: u16, day: u32) -> u32 {
        let price = self.things[thing as usize].price_minor;
        if self.is_dearer(thing, day) { (f64::from(price) * RISE_FACTOR).round() as u32 } else { price }
    }

    /// The chance that a basket takes one more piece once its turn has come.
    pub fn appetite(&self, thing: u16, day: u32) -> f64 {
        if self.is_dearer(thing, day) { RISE_APPETITE } else { 1.0 }
    }

    fn is_dearer(&self, thing: u16, day: u32) -> bool {
        day >= self.rise_day && self.risen.contains(&thing)
    }

    pub fn cheapest(&self) -> u16 {
        let by_price = |thing: &u16| self.things[*thing as usize].price_minor;
        (0..self.things.len() as u16).min_by_key(by_price).expect("300 things")
    }
}

fn things_of(group: usize) -> Range<u16> {
    let first = (group * STYLES_PER_GROUP * NOUNS) as u16;
    first..first + (STYLES_PER_GROUP * NOUNS) as u16
}

/// Things of one group and one style. Neither Christmas nor the price rise touches them, so that how often they are
/// bought together stays the same from first to last.
fn bundle_some(things: &[Thing], rise_group: usize, random: &mut ChaCha8Rng) -> Vec<Vec<u16>> {
    let mut candidates = Vec::new();
    for group in (0..CHRISTMAS_GROUP).filter(|group| *group != rise_group) {
        for style in 0..STYLES_PER_GROUP {
            let first = things_of(group).start + (style * NOUNS) as u16;
            let mut members: Vec<u16> = (first..first + NOUNS as u16).collect();
            members.shuffle(random);
            members.truncate(if random.random_bool(0.3) { 3 } else { 2 });
            members.sort_unstable();
            candidates.push(members);
        }
    }
    candidates.shuffle(random);
    candidates.sort_by_key(|members| {
        let price: u32 = members.iter().map(|thing| things[*thing as usize].price_minor).sum();
        price > BUNDLE_PRICE_MINOR_MAX
    });
    candidates.truncate(BUNDLES);
    candidates
}

impl Thing {
    fn draw(number: usize, group: &Group, place: usize, random: &mut ChaCha8Rng) -> Thing {
        let style = STYLES[(number * 4 + place / NOUNS) % STYLES.len()];
        let price = log_normal(group.price_minor, 0.45, random).clamp(PRICE_MINOR.start, PRICE_MINOR.end);
        Thing {
            code: format!("{}{:03}", group.code, place + 1),
            description: format!("{style} {}", group.nouns[place % NOUNS]),
            price_minor: (price / 10.0).floor() as u32 * 10 + 5, // 2.95, as prices go
            popularity: log_normal(1.0, 0.8, random),
        }
    }
}
