//! What goes along with Part 2 records (42 CFR 2.32(a), as amended in 2024: 89 FR 12472).

/// Which wording it is.
pub const VERSION: &str = "2024";

/// Statement 1, to the letter.
pub const STATEMENT: &str = "This record which has been disclosed to you is protected by Federal confidentiality rules (42 CFR part 2). These rules prohibit you from using or disclosing this record, or testimony that describes the information contained in this record, in any civil, criminal, administrative, or legislative proceedings by any Federal, State, or local authority, against the patient, unless authorized by the consent of the patient, except as provided at 42 CFR 2.12(c)(5) or as authorized by a court in accordance with 42 CFR 2.64 or 2.65. In addition, the Federal rules prohibit you from making any other use or disclosure of this record unless at least one of the following applies: (i) Further use or disclosure is expressly permitted by the written consent of the individual whose information is being disclosed in this record or as otherwise permitted by 42 CFR part 2. (ii) You are a covered entity or business associate and have received the record for treatment, payment, or health care operations, or (iii) You have received the record from a covered entity or business associate as permitted by 45 CFR part 164, subparts A and E. A general authorization for the release of medical or other information is NOT sufficient to meet the required elements of written consent to further use or redisclose the record (see 42 CFR 2.31).";

/// Statement 2, to the letter: for where there is no room.
pub const SHORT: &str = "42 CFR part 2 prohibits unauthorized use or disclosure of these records.";

#[cfg(test)]
mod tests {
    use aws_lc_rs::digest::{SHA256, digest};

    use super::*;

    #[test]
    fn the_notice_is_the_regulations_to_the_byte() {
        let hash = |text: &str| hex::encode(digest(&SHA256, text.as_bytes()));
        assert_eq!(STATEMENT.len(), 1325);
        assert_eq!(
            hash(STATEMENT),
            "d82205a18044f9f45776343d91e26d8ddb44bf13e136af169ec73d755facd9a8"
        );
        assert_eq!(hash(SHORT), "79fee3d6dff7e052183c61b66bfed589f0f45dcf330bb277e07b396bd12e9774");
    }
}
