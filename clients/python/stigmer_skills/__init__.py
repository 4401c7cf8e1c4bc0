"""Skills from a stigmer server for agent runners: resolved, verified, written, prompted.

    async with SkillClient() as client:
        skills = await client.list_by_refs(["@local/calculator:v1", "@acme/pdf"])
        artifacts = {s.status.version_hash: await client.get_artifact(s.status.artifact_storage_key)
                     for s in skills}
    paths = SkillWriter(local_root="/srv/agent").write_skills(skills, artifacts)
    prompt += SkillWriter.generate_prompt_section(skills, paths)
"""

from .client import SkillClient, reference
from .errors import (ArchiveError, CallError, IntegrityError, NotFoundError, StigmerError,
                     UnavailableError, WriteError)
from .writer import Artifact, SkillWriter

__all__ = ["ArchiveError", "Artifact", "CallError", "IntegrityError", "NotFoundError",
           "SkillClient", "SkillWriter", "StigmerError", "UnavailableError", "WriteError",
           "reference"]
__version__ = "0.1.0"
