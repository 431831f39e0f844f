//! What librdkafka's error codes ask of the caller. The only place that reads them.

use rdkafka::{error::KafkaError, types::RDKafkaErrorCode as Code};

use argosy_kernel::CommitResult;

use crate::port::BrokerError;

/// What an error code asks of whoever did `what`.
pub(super) fn of_code(code: Code, what: &str) -> BrokerError {
    let said = format!("{what}: {code}");
    match code {
        Code::QueueFull => BrokerError::QueueFull,
        Code::MessageSizeTooLarge
        | Code::MessageBatchTooLarge
        | Code::InvalidMessageSize
        | Code::UnknownTopic
        | Code::UnknownPartition
        | Code::UnknownTopicOrPartition
        | Code::InvalidTopic
        | Code::InvalidRecord
        | Code::InvalidTimestamp
        | Code::InvalidArgument
        | Code::InvalidRequest
        | Code::InvalidConfig
        | Code::InvalidPartitions
        | Code::InvalidReplicationFactor
        | Code::InvalidReplicaAssignment
        | Code::PolicyViolation
        | Code::TopicAlreadyExists
        | Code::UnsupportedCompressionType => BrokerError::Rejected(said),
        Code::Authentication
        | Code::SaslAuthenticationFailed
        | Code::TopicAuthorizationFailed
        | Code::GroupAuthorizationFailed
        | Code::ClusterAuthorizationFailed => BrokerError::Unauthorized(said),
        Code::UnsupportedSASLMechanism
        | Code::InvalidSessionTimeout
        | Code::InvalidGroupId
        | Code::InconsistentGroupProtocol
        | Code::UnsupportedAssignor
        | Code::UnreleasedInstanceId
        | Code::UnsupportedVersion
        | Code::UnsupportedFeature
        | Code::NotConfigured => BrokerError::Misconfigured(said),
        _ => BrokerError::Unavailable(said),
    }
}

/// The same of an error with or without a code.
pub(super) fn of(error: &KafkaError, what: &str) -> BrokerError {
    match error {
        KafkaError::ClientConfig(..) | KafkaError::ClientCreation(_) => of_configuration(error),
        KafkaError::Nul(_) => BrokerError::Rejected(format!("{what}: a name holds a zero byte")),
        _ => match error.rdkafka_error_code() {
            Some(code) => of_code(code, what),
            None => BrokerError::Unavailable(format!("{what}: {error}")),
        },
    }
}

/// An error of the configuration: its own text would show the value, which may be a secret.
pub(super) fn of_configuration(error: &KafkaError) -> BrokerError {
    BrokerError::Misconfigured(match error {
        KafkaError::ClientConfig(_, why, key, _) => format!("{key}: {why}"),
        KafkaError::ClientCreation(why) => why.clone(),
        KafkaError::Nul(_) => "a setting holds a zero byte".into(),
        other => other.to_string(),
    })
}

/// Can the consumer not go on after this, whatever the broker does?
pub(super) fn ends_consumer(code: Code) -> bool {
    matches!(
        of_code(code, ""),
        BrokerError::Misconfigured(_) | BrokerError::Unauthorized(_)
    ) && code != Code::Authentication
        || matches!(code, Code::Fatal | Code::Fenced | Code::FencedInstanceId)
}

/// Another process is a member under the same instance id.
pub(super) fn fenced(instance_id: &str) -> BrokerError {
    BrokerError::Misconfigured(format!(
        "another process has joined the group as instance {instance_id:?}: give each process an instance id of its own"
    ))
}

/// The broker does not have what is to share the partitions out.
pub(super) fn no_assignor(remote_assignor: &str) -> BrokerError {
    BrokerError::Misconfigured(format!(
        "the broker has no assignor {remote_assignor:?}: name one of its group.consumer.assignors, or none"
    ))
}

/// What became of one partition that was committed alone, or of all if the code is not of one partition.
pub(super) fn of_commit(code: Code) -> CommitResult {
    match code {
        Code::IllegalGeneration
        | Code::RebalanceInProgress
        | Code::UnknownMemberId
        | Code::FencedInstanceId
        | Code::FencedMemberEpoch
        | Code::StaleMemberEpoch
        | Code::AssignmentLost => CommitResult::Stale,
        Code::OffsetMetadataTooLarge => CommitResult::MetadataTooLarge,
        _ => CommitResult::Failed,
    }
}

/// May this error of a commit be of one partition alone, while its siblings are committed?
///
/// librdkafka hands the error of one to all, so that they must be asked one by one.
pub(super) fn is_of_one_partition(code: Code) -> bool {
    matches!(
        code,
        Code::OffsetMetadataTooLarge
            | Code::InvalidCommitOffsetSize
            | Code::UnknownTopicOrPartition
            | Code::TopicAuthorizationFailed
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_never_work_is_rejected_and_what_may_work_later_is_not() {
        let rejected = of_code(Code::MessageSizeTooLarge, "send to t");
        assert!(matches!(&rejected, BrokerError::Rejected(why) if why.starts_with("send to t: ")));
        for code in [
            Code::MessageTimedOut,
            Code::BrokerTransportFailure,
            Code::AllBrokersDown,
            Code::NotEnoughReplicas,
            Code::PurgeInflight,
            Code::Fatal,
        ] {
            assert!(matches!(of_code(code, ""), BrokerError::Unavailable(_)));
        }
    }

    #[test]
    fn refused_credentials_are_mended_by_waiting_but_a_missing_right_is_not() {
        assert!(!ends_consumer(Code::Authentication));
        assert!(ends_consumer(Code::GroupAuthorizationFailed));
        assert!(ends_consumer(Code::FencedInstanceId));
        assert!(!ends_consumer(Code::AllBrokersDown));
        assert!(!ends_consumer(Code::UnknownTopicOrPartition));
    }

    #[test]
    fn a_moved_generation_is_stale_and_a_silent_broker_is_not() {
        assert_eq!(of_commit(Code::IllegalGeneration), CommitResult::Stale);
        for code in [
            Code::UnknownMemberId,
            Code::StaleMemberEpoch,
            Code::FencedMemberEpoch,
            Code::FencedInstanceId,
        ] {
            assert_eq!(of_commit(code), CommitResult::Stale);
        }
        assert_eq!(of_commit(Code::WaitingForCoordinator), CommitResult::Failed);
        assert!(!is_of_one_partition(Code::IllegalGeneration));
        assert!(is_of_one_partition(Code::OffsetMetadataTooLarge));
    }
}
