from users.models.admins import admins_to_tell, enterprise_admins, keep_an_admin, only_local_admin
from users.models.break_glass import BreakGlassError, BreakGlassFullError, BreakGlassUnfitError
from users.models.custom_role import (
    MOST_CUSTOM_ROLES,
    AnyRole,
    CustomRole,
    RoleChangedError,
    RoleInUseError,
    columns_of,
)
from users.models.enterprise import ClosedError, Enterprise, NotEmptyError, Obstacles, Organization, Region
from users.models.factor import (
    AuthenticatorApp,
    FactorRefused,
    Factors,
    FactorTakenError,
    LastFactorError,
    Passkey,
    RecoveryCode,
    SpentChallenge,
)
from users.models.held import HeldForm, OverError
from users.models.mail import OutgoingEmail, Sendable
from users.models.recovery import BreakGlassRecovery
from users.models.role import LastAdminError, Role
from users.models.role_assignment import RoleAssignment
from users.models.session import Method, Session
from users.models.throttle import Throttle, TooManyTries
from users.models.user import AccountChangedError, EmailTakenError, HasRolesError, User
from users.models.user_queryset import Status, fold_email

__all__ = [
    "MOST_CUSTOM_ROLES",
    "AccountChangedError",
    "AnyRole",
    "AuthenticatorApp",
    "BreakGlassError",
    "BreakGlassFullError",
    "BreakGlassRecovery",
    "BreakGlassUnfitError",
    "ClosedError",
    "CustomRole",
    "EmailTakenError",
    "Enterprise",
    "FactorRefused",
    "FactorTakenError",
    "Factors",
    "HasRolesError",
    "HeldForm",
    "LastAdminError",
    "LastFactorError",
    "Method",
    "NotEmptyError",
    "Obstacles",
    "Organization",
    "OutgoingEmail",
    "OverError",
    "Passkey",
    "RecoveryCode",
    "Region",
    "Role",
    "RoleAssignment",
    "RoleChangedError",
    "RoleInUseError",
    "Sendable",
    "Session",
    "SpentChallenge",
    "Status",
    "Throttle",
    "TooManyTries",
    "User",
    "admins_to_tell",
    "columns_of",
    "enterprise_admins",
    "fold_email",
    "keep_an_admin",
    "only_local_admin",
]
