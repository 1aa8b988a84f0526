//! Restaurant reviews of one town: places whose kitchens, floors and prices are good or bad on their own account, some
//! of which turn on a known day, and guests who differ in what they care for and how they write it down.
//!
//! Nothing is measured on real reviews; every number is a guess, set so that stars and words agree mostly, not always.
//! A few days of bought praise and a few of honest fame hide among the rest, because a detector should tell them apart.

mod bought;
mod grammar;
mod words;
mod world;

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};
use std::ops::Range;

use rand_chacha::ChaCha8Rng;

use crate::almanac::{DAY_SECONDS, distinct, stream, timestamp};
use crate::{DemoSummary, NamedCount, Progress, Size};
use world::World;

const DAYS: u32 = 180; // 2026-01-01 to 2026-06-29, in either size
const PROGRESS_ROWS: usize = 4_096; // a review takes some ten times a payment's time

/// Places and guests are in proportion, so that an entity lives the same life in either size.
struct Extent {
    businesses: u32,
    guests: u32,
    reviews_per_day: f64,
}

impl Size {
    fn reviews(self) -> Extent {
        match self {
            Size::Small => Extent { businesses: 25, guests: 1_900, reviews_per_day: 22.0 },
            Size::Normal => Extent { businesses: 120, guests: 14_000, reviews_per_day: 166.0 },
        }
    }
}

impl Extent {
    fn rows_about(&self) -> u64 {
        (self.reviews_per_day * f64::from(DAYS)) as u64
    }
}

/// What must be found in the reviews.
#[derive(Debug, Clone, PartialEq)]
pub struct RestaurantTruth {
    /// By business; each has one at most.
    pub changes: Vec<QualityChange>,
    pub bought: BoughtReviews,
    /// The days of an honest crowd at another business: many reviews, by guests as they are, saying what they found.
    pub crowd: (String, [String; 2]),
}

/// From one day on, another share of the visits to a business is good in one aspect.
#[derive(Debug, Clone, PartialEq)]
pub struct QualityChange {
    /// As in the rows.
    pub business_id: String,
    /// `food`, `service`, `price`, `ambience`, `cleanliness` or `waiting`.
    pub aspect: &'static str,
    /// The first midnight of the new quality, as in the rows.
    pub since: String,
    /// Share of good visits, 0..=1, before and after; at least .3 apart.
    pub before: f64,
    pub after: f64,
}

/// Praise for money: much alike, five stars, each by a guest who is never seen again.
#[derive(Debug, Clone, PartialEq)]
pub struct BoughtReviews {
    pub business_id: String,
    /// The span they were posted in, its end not included.
    pub since: String,
    pub until: String,
    pub review_ids: Vec<String>,
}

/// The truth about the rows that `write` makes of the same size and seed.
pub fn truth(size: Size, seed: u64) -> RestaurantTruth {
    let book = Book::simulate(&size.reviews(), seed);
    let change = |(number, business): (usize, &world::Business)| {
        let change = business.change.as_ref()?;
        Some(QualityChange {
            business_id: business_id(number as u32),
            aspect: change.aspect.name(),
            since: timestamp(change.day * DAY_SECONDS),
            before: business.quality[change.aspect as usize],
            after: change.quality,
        })
    };
    let span = |days: &Range<u32>| [days.start, days.end].map(|day| timestamp(day * DAY_SECONDS));
    let [since, until] = span(&book.world.bought.days);
    RestaurantTruth {
        changes: book.world.businesses.iter().enumerate().filter_map(change).collect(),
        bought: BoughtReviews {
            business_id: business_id(book.world.bought.business),
            since,
            until,
            review_ids: book.ids_of(Story::Bought).collect(),
        },
        crowd: (business_id(book.world.crowd.business), span(&book.world.crowd.days)),
    }
}

/// Writes the reviews as CSV: `review_id,business_id,posted_at,text,stars,guest_id,reply_at`. A text has one line and
/// is always quoted; a few reviews are without stars, most without a reply.
pub(crate) fn write(out: &mut dyn Write, size: Size, seed: u64, progress: Progress<'_>) -> io::Result<DemoSummary> {
    let extent = size.reviews();
    let rows_about = extent.rows_about();
    progress(0, rows_about);
    let book = Book::simulate(&extent, seed);
    let guests = book.guest_numbers();
    let mut out = BufWriter::new(out);
    writeln!(out, "review_id,business_id,posted_at,text,stars,guest_id,reply_at")?;
    for (position, review) in book.reviews.iter().enumerate() {
        if position > 0 && position % PROGRESS_ROWS == 0 {
            progress(position as u64, rows_about.max(position as u64));
        }
        writeln!(
            out,
            "{},{},{},\"{}\",{},G{:05},{}",
            review_id(position),
            business_id(review.business),
            timestamp(review.second),
            review.text.replace('"', "\"\""),
            review.stars.map(|stars| stars.to_string()).unwrap_or_default(),
            guests[&review.guest],
            review.reply_second.map(timestamp).unwrap_or_default(),
        )?;
    }
    out.flush()?;
    let rows = book.reviews.len() as u64;
    progress(rows, rows);
    Ok(book.summary())
}

/// Writes one line for each quality change, for the honest crowd, and for each review with a story of its own:
/// `story,business_id,aspect,since,until,quality_before,quality_after,review_id`, empty where it does not apply.
pub(crate) fn write_truth(out: &mut dyn Write, size: Size, seed: u64) -> io::Result<()> {
    let truth = truth(size, seed);
    let mut out = BufWriter::new(out);
    writeln!(out, "story,business_id,aspect,since,until,quality_before,quality_after,review_id")?;
    for QualityChange { business_id, aspect, since, before, after } in &truth.changes {
        writeln!(out, "quality_change,{business_id},{aspect},{since},,{before:.3},{after:.3},")?;
    }
    let (business_id, [since, until]) = &truth.crowd;
    writeln!(out, "honest_crowd,{business_id},,{since},{until},,,")?;
    let book = Book::simulate(&size.reviews(), seed);
    for (position, review) in book.reviews.iter().enumerate() {
        for story in &review.stories {
            let (business, second) = (self::business_id(review.business), timestamp(review.second));
            writeln!(out, "{},{business},,{second},,,,{}", story.name(), review_id(position))?;
        }
    }
    out.flush()
}

/// Everybody, and all reviews, oldest first.
struct Book {
    world: World,
    reviews: Vec<Review>,
}

/// One review. Business and guest number from 0, in the order in which the world drew them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Review {
    /// Seconds since the start date.
    second: u32,
    business: u32,
    guest: u32,
    stars: Option<u8>,
    text: String,
    reply_second: Option<u32>,
    stories: Vec<Story>,
}

/// Why a review's words or stars are not to be taken at face value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Story {
    Bought,
    /// One clause says the opposite of what its words say.
    Sarcasm,
    /// The guest took 5 for the worst, or 1 for the best.
    MixedUpStars,
}

impl Story {
    const ALL: [Story; 3] = [Story::Bought, Story::Sarcasm, Story::MixedUpStars];

    fn name(self) -> &'static str {
        match self {
            Story::Bought => "bought",
            Story::Sarcasm => "sarcasm",
            Story::MixedUpStars => "mixed_up_stars",
        }
    }
}

impl Book {
    fn simulate(extent: &Extent, seed: u64) -> Book {
        let world = World::draw(extent, seed);
        let mut reviews = world.honest_reviews(seed);
        reviews.extend(bought::reviews(&world, seed));
        // The order is total, so reviews within one second cannot trade places between runs.
        reviews.sort_unstable();
        Book { world, reviews }
    }

    fn ids_of(&self, story: Story) -> impl Iterator<Item = String> {
        let told = move |(_, review): &(usize, &Review)| review.stories.contains(&story);
        self.reviews.iter().enumerate().filter(told).map(|(position, _)| review_id(position))
    }

    /// Numbers from 1 in the order of the first review, so that a guest's id says nothing but how new the guest is.
    fn guest_numbers(&self) -> BTreeMap<u32, usize> {
        let mut numbers = BTreeMap::new();
        for review in &self.reviews {
            let next = numbers.len() + 1;
            numbers.entry(review.guest).or_insert(next);
        }
        numbers
    }

    /// Labels: `negative` (1, 2), `neutral` (3), `positive` (4, 5) and `without_stars` add up to the rows; the stories
    /// are counted beside them.
    fn summary(&self) -> DemoSummary {
        let stars = |wanted: &[u8]| {
            let given = self.reviews.iter().filter_map(|review| review.stars);
            given.filter(|stars| wanted.contains(stars)).count() as u64
        };
        let without_stars = self.reviews.iter().filter(|review| review.stars.is_none()).count() as u64;
        let mut labels = vec![
            NamedCount { name: "negative", count: stars(&[1, 2]) },
            NamedCount { name: "neutral", count: stars(&[3]) },
            NamedCount { name: "positive", count: stars(&[4, 5]) },
            NamedCount { name: "without_stars", count: without_stars },
        ];
        labels.extend(
            Story::ALL.map(|story| NamedCount { name: story.name(), count: self.ids_of(story).count() as u64 }),
        );
        DemoSummary {
            rows: self.reviews.len() as u64,
            entities: vec![
                NamedCount { name: "businesses", count: distinct(self.reviews.iter().map(|review| review.business)) },
                NamedCount { name: "guests", count: distinct(self.reviews.iter().map(|review| review.guest)) },
            ],
            labels,
        }
    }
}

/// Numbered by time, so that the id of a review says nothing about its story.
fn review_id(position: usize) -> String {
    format!("R{:07}", position + 1)
}

fn business_id(number: u32) -> String {
    format!("B{:03}", number + 1)
}

/// What a run of random numbers is for. Each entity has a run of its own for each purpose, so that one more draw
/// for one guest leaves everybody else as they were.
#[derive(Clone, Copy)]
enum Purpose {
    Business,
    Guest,
    Reviews,
    Changes,
    Bought,
}

fn random(seed: u64, purpose: Purpose, entity: u32) -> ChaCha8Rng {
    stream(seed, purpose as u64, entity)
}
